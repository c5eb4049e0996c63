// Package command is what the project's command lines share: the way from a
// tree of commands to an exit code, environment twins for flags, the text
// forms of addresses and sizes, and tables.
//
// It knows nothing of ledgers, servers or clients, and keeps no state: a
// command tree is built, executed once, and thrown away.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Exit codes of every command.
const (
	ExitOK      = 0 // did what was asked
	ExitFailure = 1 // understood, but could not be done, or not in full
	ExitUsage   = 2 // not understood: unknown command, bad flag, bad argument
)

// Streams are a process's standard streams. Tests give buffers.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Main executes root with the process's arguments, environment and streams,
// and returns the exit code. The commands' context ends on SIGINT or SIGTERM;
// a second signal ends the process at once.
//
// prefix begins the name of every flag's environment twin: with "LEDGERD" the
// twin of --log-level is LEDGERD_LOG_LEVEL. A flag given as an argument wins
// over its twin.
func Main(root *cobra.Command, prefix string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return Execute(ctx, root, prefix, os.Args[1:],
		Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, os.LookupEnv)
}

// Execute is Main with everything that it takes from the process given. It
// changes root, which must not be executed again.
func Execute(ctx context.Context, root *cobra.Command, prefix string, args []string,
	streams Streams, lookup func(string) (string, bool)) int {
	root.SetArgs(args)
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	root.SilenceErrors, root.SilenceUsage = true, true
	prepare(root, prefix)
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		return readEnvironment(cmd, prefix, lookup)
	}

	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return ExitOK
	}
	fmt.Fprintf(streams.Err, "%s: %v\n", root.Name(), err)
	var failed *failure
	if errors.As(err, &failed) {
		return ExitFailure
	}
	fmt.Fprintf(streams.Err, "See '%s --help'.\n", cmd.CommandPath())
	return ExitUsage
}

// failure marks an error that came from a command's own work. What cobra
// itself reports (flags, arguments, unknown commands) is never marked, and so
// counts as a mistake of usage.
type failure struct{ error }

func (f *failure) Unwrap() error { return f.error }

// usage marks an error from within a command as a mistake of usage.
type usage struct{ error }

// Usagef returns an error that ends the process with ExitUsage, for mistakes
// that only the command itself can see, such as two flags that exclude each
// other.
func Usagef(format string, args ...any) error { return &usage{fmt.Errorf(format, args...)} }

// prepare makes every command under cmd mark its failures, and name the
// environment twins in its help.
func prepare(cmd *cobra.Command, prefix string) {
	nameTwin := func(flag *pflag.Flag) {
		flag.Usage += " [$" + twin(prefix, flag.Name) + "]"
	}
	cmd.LocalNonPersistentFlags().VisitAll(nameTwin)
	cmd.PersistentFlags().VisitAll(nameTwin)
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			err := run(cmd, args)
			var misuse *usage
			if err == nil || errors.As(err, &misuse) {
				return err
			}
			return &failure{err}
		}
	}
	for _, child := range cmd.Commands() {
		prepare(child, prefix)
	}
}

// readEnvironment sets each flag of cmd that was not given from its twin.
func readEnvironment(cmd *cobra.Command, prefix string, lookup func(string) (string, bool)) error {
	var failed error
	cmd.Flags().VisitAll(func(flag *pflag.Flag) {
		value, ok := lookup(twin(prefix, flag.Name))
		if flag.Changed || !ok || failed != nil {
			return
		}
		if err := cmd.Flags().Set(flag.Name, value); err != nil {
			failed = fmt.Errorf("environment variable %s: %w", twin(prefix, flag.Name), err)
		}
	})
	return failed
}

// twin is the name of a flag's environment variable.
func twin(prefix, flag string) string {
	return prefix + "_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}
