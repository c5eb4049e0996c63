// Mutations shows that the tests can fail: it breaks a copy of the source in one
// way after another, and looks for the seed of the simulator, or the test, that
// notices.
//
//	go run ./sim/mutations                      all of them: takes ten minutes
//	go run ./sim/mutations -only quorum         those with this word in their name
//
// Prints one row for each as a table of Markdown. Exit codes: 0 all were caught,
// 1 one was not, 2 a mistake in the command line.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// arguments say which mutations are tried, and how long.
type arguments struct {
	only  string
	start uint64
	seeds int
	limit time.Duration // for one mutation
}

func main() {
	var a arguments
	flag.StringVar(&a.only, "only", "", "only mutations with this in their name")
	flag.Uint64Var(&a.start, "start", 1, "first seed")
	flag.IntVar(&a.seeds, "seeds", 1000, "seeds after which a mutation counts as missed")
	flag.DurationVar(&a.limit, "limit", 10*time.Minute, "time after which a mutation counts as missed")
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	missed, err := run(a, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutations:", err)
	}
	if err != nil || missed > 0 {
		os.Exit(1)
	}
}

// run tries the mutations one by one, and returns how many nothing caught.
func run(a arguments, out io.Writer) (missed int, err error) {
	tree, err := os.MkdirTemp("", "mutations")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(tree)
	if err := copyTree(tree); err != nil {
		return 0, err
	}
	if err := build(context.Background(), tree, sound); err != nil {
		return 0, err
	}
	fmt.Fprintf(out, "| mutation | caught by |\n|---|---|\n")
	for _, m := range mutations {
		if !strings.Contains(m.name, a.only) {
			continue
		}
		caught, err := try(a, tree, m)
		if err != nil {
			return missed, fmt.Errorf("%s: %w", m.name, err)
		}
		if caught == "" {
			missed++
			caught = "nothing"
		}
		fmt.Fprintf(out, "| %s | %s |\n", m.name, caught)
	}
	return missed, nil
}

// copyTree copies all files that git knows.
func copyTree(to string) error {
	names, err := exec.Command("git", "ls-files").Output()
	if err != nil {
		return fmt.Errorf("list the files: %w", err)
	}
	for name := range strings.Lines(string(names)) {
		name = strings.TrimSpace(name)
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		copied := filepath.Join(to, name)
		if err := os.MkdirAll(filepath.Dir(copied), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(copied, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// try breaks the tree in one way, and mends it again. It returns what has noticed
// it, empty if nothing has.
func try(a arguments, tree string, m mutation) (caught string, err error) {
	for _, e := range m.edits {
		name := filepath.Join(tree, e.file)
		whole, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		broken, err := e.apply(string(whole))
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(name, []byte(broken), 0o644); err != nil {
			return "", err
		}
		defer os.WriteFile(name, whole, 0o644)
	}
	ctx, cancel := context.WithTimeout(context.Background(), a.limit)
	defer cancel()
	if m.test != "" {
		return tryTest(ctx, tree, m.test)
	}
	return trySeeds(ctx, a, tree)
}

// tryTest runs one test, given as package and name.
func tryTest(ctx context.Context, tree, test string) (caught string, err error) {
	folder, name, _ := strings.Cut(test, " ")
	build := exec.CommandContext(ctx, "go", "test", "-trimpath", "./"+folder, "-run", "^$")
	build.Dir = tree
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("does not compile: %s", output)
	}
	run := exec.CommandContext(ctx, "go", "test", "-trimpath", "./"+folder, "-run", "^"+name+"$")
	run.Dir = tree
	if run.Run() == nil || ctx.Err() != nil {
		return "", nil
	}
	return caughtByTest(folder, name), nil
}

func caughtByTest(folder, name string) string { return fmt.Sprintf("`%s`, `%s`", folder, name) }

// The simulator without and with a mutation, in the tree.
const (
	sound   = "ledgersim.sound"
	mutated = "ledgersim.mutated"
)

// build makes the simulator of the tree as it is.
func build(ctx context.Context, tree, program string) error {
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", program, "./cmd/ledgersim")
	build.Dir = tree
	if output, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("does not compile: %s", output)
	}
	return nil
}

// trySeeds runs the simulator until a seed fails, which must not fail without the mutation.
func trySeeds(ctx context.Context, a arguments, tree string) (caught string, err error) {
	if err := build(ctx, tree, mutated); err != nil {
		return "", err
	}
	run := exec.CommandContext(ctx, filepath.Join(tree, mutated), "--start", fmt.Sprint(a.start), "--seeds", fmt.Sprint(a.seeds))
	output, err := run.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := run.Start(); err != nil {
		return "", err
	}
	defer func() {
		run.Process.Kill()
		run.Wait() // killed, or at its end: nothing to learn from it
	}()
	lines := bufio.NewScanner(output)
	lines.Buffer(nil, 64<<20) // a failure may print whole records
	for lines.Scan() {
		var seed uint64
		if n, _ := fmt.Sscanf(lines.Text(), "seed %d failed", &seed); n == 1 {
			if exec.Command(filepath.Join(tree, sound), "--seed", fmt.Sprint(seed)).Run() != nil {
				return "", fmt.Errorf("seed %d fails without the mutation, too", seed)
			}
			return fmt.Sprintf("%d seeds: %s", seed-a.start+1, reason(lines.Text())), nil
		}
	}
	return "", lines.Err()
}

// reason returns what a seed failed with, in short: without the time and without
// the particulars at the end.
func reason(line string) string {
	const longest = 110
	_, reason, _ := strings.Cut(line, ": ")
	if len(reason) > longest {
		reason = reason[:longest] + "…"
	}
	return strings.ReplaceAll(reason, "|", "/")
}
