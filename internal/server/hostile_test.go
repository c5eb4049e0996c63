package server

import (
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/internal/vectors"
	"github.com/ledgerd/ledgerd/wire"
)

const (
	// stallMax is how long a well-behaved client may wait for an answer while
	// the server is under attack. It is less than the 15 s after which the
	// server closes peers that are merely slow: those must not be waited for.
	stallMax = 10 * time.Second
	// reactionMax is how long the server may take to react to an attack.
	reactionMax = 30 * time.Second
	// lorises is how many peers send large messages byte by byte: more than
	// the server has memory for at a time.
	lorises = 80
)

// TestHostilePeers plays what well-behaved clients have sent while other
// connections do what PROTOCOL.md sections 4 and 17 warn of. Each answer must
// come, be right, and come in time.
func TestHostilePeers(t *testing.T) {
	scenarios, err := vectors.Load()
	if err != nil {
		t.Fatal(err)
	}
	played := 0
	for _, scenario := range scenarios {
		// Those in which each request is sent once, on one connection.
		if !slices.Contains([]string{"basic", "multi_batch", "deprecated", "maximum", "ping"}, scenario.Name) {
			continue
		}
		played++
		t.Run(scenario.Name, func(t *testing.T) {
			s := startServer(t, layoutForTests())
			stop := attack(t, s.Addr().String())
			defer stop()
			newPlayback(t, s.Addr().String()).play(scenario)
		})
	}
	if played != 5 {
		t.Errorf("%d scenarios were played, want 5", played)
	}
}

// A playback is a well-behaved client: a recorded one, whose requests are
// chained to the answers that it gets here rather than to the recorded ones.
type playback struct {
	t       *testing.T
	socket  net.Conn
	session uint64
	context checksum.Sum // of the last reply
	longest time.Duration
}

func newPlayback(t *testing.T, address string) *playback {
	socket, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	return &playback{t: t, socket: socket}
}

// play sends the client's messages one by one, and compares each answer with
// the recorded one as far as that does not depend on the time.
func (p *playback) play(scenario vectors.Scenario) {
	var answers []vectors.Message
	for _, message := range scenario.Messages {
		if message.Direction == vectors.ServerToClient {
			answers = append(answers, message)
		}
	}
	for _, message := range scenario.Messages {
		if message.Direction != vectors.ClientToServer {
			continue
		}
		sent := p.adapt(message.Bytes)
		began := time.Now()
		p.socket.SetDeadline(began.Add(stallMax))
		if _, err := p.socket.Write(sent); err != nil {
			p.t.Fatalf("%s: %v", message.File, err)
		}
		got, err := receive(p.socket)
		if err != nil {
			p.t.Fatalf("%s was not answered: %v", message.File, err)
		}
		p.longest = max(p.longest, time.Since(began))
		p.compare(message.File, sent, got, answers[0])
		answers = answers[1:]
	}
	p.t.Logf("%d answers, the slowest after %v", len(scenario.Messages)/2, p.longest.Round(time.Millisecond))
}

// adapt returns a recorded message with its session and parent changed to
// those of this connection.
func (p *playback) adapt(recorded []byte) []byte {
	message := slices.Clone(recorded)
	var request wire.Request
	if wire.CommandOf(message) != wire.CommandRequest {
		return message
	}
	if err := request.Decode(message); err != nil {
		p.t.Fatal(err)
	}
	if request.Operation != wire.OperationRegister {
		request.Session, request.Parent = p.session, p.context
	}
	request.Encode(message)
	wire.SealHeader(message)
	return message
}

func (p *playback) compare(name string, sent, got []byte, want vectors.Message) {
	// The scenario "basic" imports records that were new when it was recorded,
	// so that other results follow from the time.
	sized := len(got) == len(want.Bytes) || strings.HasPrefix(name, "basic/")
	if wire.CommandOf(got) != wire.CommandOf(want.Bytes) || !sized {
		p.t.Fatalf("%s: answer is %v of %d bytes, want %v of %d",
			name, wire.CommandOf(got), len(got), wire.CommandOf(want.Bytes), len(want.Bytes))
	}
	if wire.CommandOf(got) != wire.CommandReply {
		return
	}
	var reply wire.Reply
	if err := reply.Decode(got); err != nil {
		p.t.Fatalf("%s: %v", name, err)
	}
	if reply.RequestChecksum != checksum.Sum(sent[:checksum.Size]) {
		p.t.Fatalf("%s: the reply is to another request", name)
	}
	if reply.Operation == wire.OperationRegister {
		p.session = reply.Commit
	}
	p.context = reply.Context
}

// receive reads one message and verifies it.
func receive(socket net.Conn) ([]byte, error) {
	message := make([]byte, wire.HeaderSize)
	if _, err := io.ReadFull(socket, message); err != nil {
		return nil, err
	}
	frame, err := wire.VerifyHeader(message)
	if err != nil {
		return nil, err
	}
	message = append(message, make([]byte, frame.Size-wire.HeaderSize)...)
	if _, err := io.ReadFull(socket, message[wire.HeaderSize:]); err != nil {
		return nil, err
	}
	return message, wire.VerifyBody(message)
}

// attack lets every attack go on, again and again, until stop is called. It
// returns when each has happened once.
func attack(t *testing.T, address string) (stop func()) {
	var over atomic.Bool
	var running sync.WaitGroup
	all := attacks()
	var begun sync.WaitGroup
	begun.Add(len(all))
	for name, once := range all {
		running.Go(func() {
			for count := 0; count == 0 || !over.Load(); count++ {
				err := meet(address, &over, once)
				if err != nil && !over.Load() {
					t.Errorf("%s: %v", name, err)
				}
				if count == 0 {
					begun.Done()
				}
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	for range lorises {
		running.Go(func() {
			for !over.Load() {
				meet(address, &over, trickle)
			}
		})
	}
	begun.Wait()
	return func() {
		over.Store(true)
		running.Wait()
	}
}

// meet connects for one attack.
func meet(address string, over *atomic.Bool, once reaction) error {
	socket, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer socket.Close()
	socket.SetDeadline(time.Now().Add(reactionMax))
	return once(socket, over)
}
