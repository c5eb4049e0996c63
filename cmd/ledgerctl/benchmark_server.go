package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ledgerd/ledgerd/bench"
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
	var addresses, profile string
	cmd := &cobra.Command{
		Use:    benchmarkServer + " FILE",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			command.TuneForServing()
			list, level := strings.Split(addresses, ","), slog.LevelWarn
			if len(list) > 1 {
				level = slog.LevelError // replicas that start and stop in turn miss one another
			}
			replica, err := server.Start(server.Config{
				Path:      args[0],
				Addresses: list,
				CacheGrid: int64(caches.grid), CacheAccounts: int64(caches.accounts),
				Logger: slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: level})),
			})
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), replica.Addr())
			ended := make(chan error, 2)
			go func() { ended <- replica.Wait() }()
			go func() {
				var err error
				input := bufio.NewReader(cmd.InOrStdin())
				if profile != "" {
					err = profileBetween(input, profile)
				}
				_, err2 := io.Copy(io.Discard, input)
				ended <- errors.Join(err, err2)
			}()
			return errors.Join(<-ended, replica.Close())
		},
	}
	cmd.Flags().StringVar(&addresses, "addresses", "", "host:port of all replicas")
	cmd.Flags().StringVar(&profile, "profile", "", "file for a profile from the first line of input to the second")
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

// serverProcess is a replica of a benchmark's own server.
type serverProcess struct {
	command *exec.Cmd
	input   io.WriteCloser // its end stops the replica
}

// A benchmarkCluster is a benchmark's own server: the replicas of a cluster, each
// in a process of its own.
type benchmarkCluster struct {
	paths     []string // of the data files
	addresses string
	processes []*serverProcess // those that run, the first of all replicas
}

// newBenchmarkCluster makes the data files of replicas in folder.
func newBenchmarkCluster(folder string, replicas int) (*benchmarkCluster, error) {
	addresses, err := freeAddresses(replicas)
	if err != nil {
		return nil, err
	}
	c := &benchmarkCluster{addresses: strings.Join(addresses, ",")}
	for i := range replicas {
		path := filepath.Join(folder, fmt.Sprintf("benchmark_%d.ledger", i))
		if err := server.Format(path, server.FormatConfig{Replica: uint8(i), ReplicaCount: uint8(replicas)}); err != nil {
			return nil, err
		}
		c.paths = append(c.paths, path)
	}
	return c, nil
}

// freeAddresses returns addresses of this machine at which nobody listens.
func freeAddresses(count int) (addresses []string, err error) {
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer listener.Close() // when all are chosen
		addresses = append(addresses, listener.Addr().String())
	}
	return addresses, nil
}

// start starts the first count replicas. The first of them writes a profile, unless
// its path is empty.
func (c *benchmarkCluster) start(count int, caches caches, profile string) error {
	for _, path := range c.paths[:count] {
		process, err := startServer(path, c.addresses, caches, profile)
		profile = ""
		if err != nil {
			return errors.Join(err, c.stop())
		}
		c.processes = append(c.processes, process)
	}
	return nil
}

// stop ends all replicas and waits for them.
func (c *benchmarkCluster) stop() (err error) {
	for _, process := range c.processes {
		err = errors.Join(err, process.stop())
	}
	c.processes = nil
	return err
}

// cost is what all replicas that run have cost together, but for the memory: that
// is the most of one.
func (c *benchmarkCluster) cost() (cost bench.Process, err error) {
	for _, process := range c.processes {
		one, err := bench.ReadProcess(process.command.Process.Pid)
		if err != nil {
			return cost, err
		}
		cost.CPU += one.CPU
		cost.Written += one.Written
		cost.ResidentMax = max(cost.ResidentMax, one.ResidentMax)
	}
	return cost, nil
}

// startServer starts this program as a server in a process of its own, and
// returns when it serves. What the server complains of goes to standard error.
func startServer(path, addresses string, caches caches, profile string) (*serverProcess, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	arguments := append([]string{benchmarkServer, path, "--addresses=" + addresses, "--profile=" + profile}, caches.arguments()...)
	process := exec.Command(program, arguments...)
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
	s := &serverProcess{command: process, input: input}
	if _, err := bufio.NewReader(output).ReadString('\n'); err != nil {
		return nil, fmt.Errorf("the server did not start: %w", errors.Join(s.stop(), err))
	}
	return s, nil
}

// mark tells the first replica that its profile begins or ends.
func (c *benchmarkCluster) mark() error {
	_, err := io.WriteString(c.processes[0].input, "\n")
	return err
}

// stop ends the replica and waits for it.
func (s *serverProcess) stop() error {
	if err := errors.Join(s.input.Close(), s.command.Wait()); err != nil {
		return fmt.Errorf("the server ended badly: %w", err)
	}
	return nil
}
