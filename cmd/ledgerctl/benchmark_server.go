package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ledgerd/ledgerd/internal/command"
	"github.com/ledgerd/ledgerd/internal/server"
)

// benchmarkServer is the hidden subcommand that serves a data file to the
// benchmark that started it.
const benchmarkServer = "benchmark-server"

// newBenchmarkServer returns that subcommand. It prints its address, and serves
// until its standard input ends: so it cannot outlive the benchmark, and a signal
// to both leaves it to the benchmark to stop it in order.
func newBenchmarkServer() *cobra.Command {
	var caches caches
	cmd := &cobra.Command{
		Use:    benchmarkServer + " FILE",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			command.TuneForServing()
			replica, err := server.Start(server.Config{
				Path:      args[0],
				Addresses: []string{"127.0.0.1:0"},
				CacheGrid: int64(caches.grid), CacheAccounts: int64(caches.accounts),
				Logger: slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn})),
			})
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), replica.Addr())
			ended := make(chan error, 2)
			go func() { ended <- replica.Wait() }()
			go func() {
				_, err := io.Copy(io.Discard, cmd.InOrStdin())
				ended <- err
			}()
			return errors.Join(<-ended, replica.Close())
		},
	}
	caches.addTo(cmd)
	return cmd
}

// caches is the flags that say how much memory a server of the benchmark's own
// may use.
type caches struct{ grid, accounts command.Size }

func (c *caches) addTo(cmd *cobra.Command) {
	cmd.Flags().Var(&c.grid, "cache-grid", "the server's memory for what is read of the disk (default 128MiB)")
	cmd.Flags().Var(&c.accounts, "cache-accounts", "the server's memory for accounts (default 256MiB)")
}

// arguments returns the flags as they were given.
func (c *caches) arguments() []string {
	return []string{"--cache-grid=" + c.grid.String(), "--cache-accounts=" + c.accounts.String()}
}

// serverProcess is a benchmark's own server.
type serverProcess struct {
	command *exec.Cmd
	input   io.Closer // its end stops the server
	address string
}

// formatServer makes the data file of a benchmark's own server.
func formatServer(path string) error {
	return server.Format(path, server.FormatConfig{ReplicaCount: 1})
}

// startServer starts this program as a server in a process of its own, and
// returns when it serves. What the server complains of goes to standard error.
func startServer(path string, caches caches) (*serverProcess, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	process := exec.Command(program, append([]string{benchmarkServer, path}, caches.arguments()...)...)
	process.Stderr = os.Stderr
	input, err := process.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := process.Start(); err != nil {
		return nil, err
	}
	address, err := bufio.NewReader(output).ReadString('\n')
	s := &serverProcess{command: process, input: input, address: strings.TrimSpace(address)}
	if err != nil {
		return nil, fmt.Errorf("the server did not start: %w", errors.Join(s.stop(), err))
	}
	return s, nil
}

func (s *serverProcess) pid() int { return s.command.Process.Pid }

// stop ends the server and waits for it.
func (s *serverProcess) stop() error {
	if err := errors.Join(s.input.Close(), s.command.Wait()); err != nil {
		return fmt.Errorf("the server ended badly: %w", err)
	}
	return nil
}
