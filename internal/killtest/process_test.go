package killtest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// program is the path of ledgerd, tool that of ledgerctl: built once by TestMain.
var program, tool string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		folder, err := os.MkdirTemp("", "ledgerd-killtest-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(folder)
		program, tool = filepath.Join(folder, "ledgerd"), filepath.Join(folder, "ledgerctl")
		build := exec.Command("go", "build", "-o", folder, "../../cmd/ledgerd", "../../cmd/ledgerctl")
		if output, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build: %v\n%s", err, output)
			return 1
		}
		return m.Run()
	}())
}

// A process is one run of "ledgerd start".
type process struct {
	command *exec.Cmd
	began   time.Time
	serving chan struct{} // closed when the log says so
	ended   chan struct{} // closed when the process has ended, and log is whole

	mu       sync.Mutex
	log      bytes.Buffer // standard error
	standing standing     // the last one logged
}

// A standing is where a replica says that it stands.
type standing struct {
	Status  string
	View    uint32
	Primary int
}

// What the server logs when clients can connect, and when its standing changes.
const (
	servingMessage  = `"msg":"serving"`
	standingMessage = `"msg":"replica"`
)

// launch runs "ledgerd start" on a small file and returns at once.
func launch(t *testing.T, path, addresses string) *process {
	t.Helper()
	return launchWith(t, "--development", "--addresses="+addresses, path)
}

// launchWith runs "ledgerd start" with the arguments and returns at once.
func launchWith(t *testing.T, arguments ...string) *process {
	t.Helper()
	p := &process{serving: make(chan struct{}), ended: make(chan struct{}), began: time.Now()}
	p.command = exec.Command(program, append([]string{"start", "--log-format=json"}, arguments...)...)
	stderr, err := p.command.StderrPipe()
	if err == nil {
		err = p.command.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			p.note(lines.Text())
			if strings.Contains(lines.Text(), servingMessage) {
				close(p.serving)
			}
		}
		p.command.Wait() // its error is in ProcessState
	}()
	t.Cleanup(p.kill)
	return p
}

// note keeps a line of the log.
func (p *process) note(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintln(&p.log, line)
	if strings.Contains(line, standingMessage) {
		json.Unmarshal([]byte(line), &p.standing) // what is not understood is not awaited either
	}
}

// stands returns where the replica stood when it last said so.
func (p *process) stands() standing {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.standing
}

// hasEnded reports whether the process has ended.
func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// start runs "ledgerd start" and returns when it serves.
func start(t *testing.T, path, port string) *process {
	t.Helper()
	p := launch(t, path, port)
	p.awaitServing(t)
	return p
}

// patience is how long anything may take that should be over soon.
const patience = time.Minute

// awaitServing returns how long the server took from its start until it
// served.
func (p *process) awaitServing(t *testing.T) time.Duration {
	t.Helper()
	select {
	case <-p.serving:
		return time.Since(p.began)
	case <-p.ended:
		t.Fatalf("ledgerd did not start: %v\n%s", p.command.ProcessState, p.output())
	case <-time.After(patience):
		t.Fatalf("ledgerd does not serve after %v\n%s", patience, p.output())
	}
	panic("unreachable")
}

// kill ends the process with SIGKILL, if it still runs.
func (p *process) kill() {
	p.command.Process.Kill() // fails if it has ended, which is as well
	<-p.ended
}

// signal sends a signal and returns the exit code.
func (p *process) signal(t *testing.T, signal os.Signal) int {
	t.Helper()
	if err := p.command.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.ended:
	case <-time.After(patience):
		t.Fatalf("ledgerd has not ended %v after %v\n%s", patience, signal, p.output())
	}
	return p.command.ProcessState.ExitCode()
}

// output returns what the process has logged.
func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// run runs ledgerd with the arguments until it ends.
func run(t *testing.T, arguments ...string) (exitCode int, stderr string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, arguments...)
	var log bytes.Buffer
	command.Stderr = &log
	var exit *exec.ExitError
	if err := command.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return command.ProcessState.ExitCode(), log.String()
}

// format makes a new data file with a small journal.
func format(t *testing.T, path string) {
	t.Helper()
	code, stderr := run(t, "format", "--cluster=0", "--replica=0", "--replica-count=1", "--development", path)
	if code != 0 {
		t.Fatalf("format: exit code %d: %s", code, stderr)
	}
}

// freePort returns a port that a server can be started on again and again.
// Ports of 32768 and above are taken by the system for outgoing connections:
// even by a client that calls this very port while the server is away.
func freePort(t *testing.T) string {
	t.Helper()
	for range 1000 {
		port := strconv.Itoa(20_000 + rand.IntN(12_000))
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
		if err == nil {
			listener.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return ""
}
