package command

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// tree is a root with one child that has a required flag, and does what run
// says.
func tree(run func(level string) error) *cobra.Command {
	root := &cobra.Command{Use: "tool"}
	root.PersistentFlags().Bool("json", false, "print JSON")
	var level string
	child := &cobra.Command{Use: "work", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error { return run(level) }}
	child.Flags().StringVar(&level, "log-level", "", "how much to say")
	child.Flags().Int("count", 1, "how often")
	if err := child.MarkFlagRequired("log-level"); err != nil {
		panic(err)
	}
	root.AddCommand(child)
	return root
}

func TestExecuteExitCodes(t *testing.T) {
	for name, test := range map[string]struct {
		args   []string
		env    map[string]string
		err    error
		code   int
		stderr string
	}{
		"done":              {args: []string{"work", "--log-level=x"}},
		"failure":           {args: []string{"work", "--log-level=x"}, err: errors.New("no disk"), code: ExitFailure, stderr: "tool: no disk\n"},
		"usage from within": {args: []string{"work", "--log-level=x"}, err: Usagef("not %d", 7), code: ExitUsage, stderr: "tool: not 7\nSee 'tool work --help'.\n"},
		"unknown command":   {args: []string{"play"}, code: ExitUsage, stderr: "unknown command"},
		"unknown flag":      {args: []string{"work", "--nope"}, code: ExitUsage, stderr: "unknown flag: --nope"},
		"argument":          {args: []string{"work", "--log-level=x", "more"}, code: ExitUsage, stderr: "unknown command \"more\""},
		"missing flag":      {args: []string{"work"}, code: ExitUsage, stderr: "required flag(s) \"log-level\""},
		"twin":              {args: []string{"work"}, env: map[string]string{"TOOL_LOG_LEVEL": "x"}},
		"flag before twin":  {args: []string{"work", "--log-level=x"}, env: map[string]string{"TOOL_LOG_LEVEL": "y"}},
		"bad twin": {args: []string{"work", "--log-level=x"}, env: map[string]string{"TOOL_COUNT": "many"},
			code: ExitUsage, stderr: "environment variable TOOL_COUNT: invalid argument \"many\""},
	} {
		t.Run(name, func(t *testing.T) {
			var out, stderr bytes.Buffer
			root := tree(func(level string) error {
				if level != "x" {
					t.Errorf("level is %q", level)
				}
				return test.err
			})
			lookup := func(name string) (string, bool) { value, ok := test.env[name]; return value, ok }
			code := Execute(context.Background(), root, "TOOL", test.args, Streams{Out: &out, Err: &stderr}, lookup)
			if code != test.code || !strings.Contains(stderr.String(), test.stderr) || (code == 0) != (stderr.Len() == 0) {
				t.Errorf("exit code %d, stderr %q; want %d, %q", code, stderr.String(), test.code, test.stderr)
			}
		})
	}
}

func TestHelpNamesTwins(t *testing.T) {
	var out bytes.Buffer
	Execute(context.Background(), tree(nil), "TOOL", []string{"work", "--help"}, Streams{Out: &out},
		func(string) (string, bool) { return "", false })
	for _, want := range []string{"how much to say [$TOOL_LOG_LEVEL]", "print JSON [$TOOL_JSON]"} {
		if strings.Count(out.String(), want) != 1 {
			t.Errorf("help does not say %q:\n%s", want, out.String())
		}
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "1": 1, "4096": 4096, "7B": 7, "4KiB": 4096, "64MiB": 64 << 20, "3GiB": 3 << 30, "16TiB": 16 << 40,
	} {
		var size Size
		if err := size.Set(text); err != nil || int64(size) != want {
			t.Errorf("Set(%q) = %d, %v; want %d", text, size, err, want)
		}
		var again Size
		if err := again.Set(size.String()); err != nil || again != size {
			t.Errorf("%q does not survive String: %q", text, size.String())
		}
	}
	for _, text := range []string{"", "MiB", "-1", "1.5MiB", "1MB", "9999999TiB", "1 MiB"} {
		var size Size
		if err := size.Set(text); err == nil {
			t.Errorf("Set(%q) = %d; want an error", text, size)
		}
	}
}

func TestParseAddresses(t *testing.T) {
	for text, want := range map[string][]string{
		"3000":                         {"127.0.0.1:3000"},
		"0":                            {"127.0.0.1:0"},
		"10.0.0.1":                     {"10.0.0.1:3001"},
		"10.0.0.1:7":                   {"10.0.0.1:7"},
		"[::1]:7":                      {"[::1]:7"},
		"::1":                          {"[::1]:3001"},
		"localhost":                    {"localhost:3001"},
		"db-1.example.org:7":           {"db-1.example.org:7"},
		"3000,3001, 10.0.0.1:3002":     {"127.0.0.1:3000", "127.0.0.1:3001", "10.0.0.1:3002"},
		"0.0.0.0:3000,192.168.0.1:080": {"0.0.0.0:3000", "192.168.0.1:080"},
	} {
		if got, err := ParseAddresses(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("ParseAddresses(%q) = %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"", "3000,", "65536", "10.0.1", "10.0.1:7", "a b", "a/b:7", ":3000", "10.0.0.1:x", "10.0.0.1:", "::1:3000:x"} {
		if got, err := ParseAddresses(text); err == nil {
			t.Errorf("ParseAddresses(%q) = %q; want an error", text, got)
		}
	}
}

func TestWriteTable(t *testing.T) {
	var out bytes.Buffer
	if err := WriteTable(&out, []string{"name", "count"}, [][]string{{"a long name", "7"}, {"b", "1234567"}}, "count"); err != nil {
		t.Fatal(err)
	}
	want := `
┌─────────────┬─────────┐
│ name        │   count │
├─────────────┼─────────┤
│ a long name │       7 │
│ b           │ 1234567 │
└─────────────┴─────────┘
`
	if got := "\n" + out.String(); got != want {
		t.Errorf("got:%swant:%s", got, want)
	}
}
