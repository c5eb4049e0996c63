package node

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/internal/vectors"
	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/ledger/forest"
	"github.com/ledgerd/ledgerd/vsr"
	"github.com/ledgerd/ledgerd/vsr/faultdisk"
	"github.com/ledgerd/ledgerd/vsr/grid"
	"github.com/ledgerd/ledgerd/wire"
)

// TestVectors sends what real clients sent to a real server and expects every
// byte of what that server answered: replies, evictions and pongs, and silence
// where it was silent. Only the clock is taken from the recording.
func TestVectors(t *testing.T) {
	scenarios, err := vectors.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, scenario := range scenarios {
		// A cluster of three cannot be played by one replica, and a wrong
		// cluster never gets past the bus.
		if slices.Contains([]string{"three_replicas", "three_replicas_backup", "wrong_cluster"}, scenario.Name) {
			continue
		}
		t.Run(scenario.Name, func(t *testing.T) { newRecording(t, scenario).play() })
	}
}

// recording plays one scenario against a replica.
type recording struct {
	t         *testing.T
	scenario  vectors.Scenario
	layout    vsr.Layout
	disk      *faultdisk.Disk
	replica   *vsr.Replica
	clock     fakeClock
	pool      buffer.Pool
	sent      [][]byte // by the replica, since the last check
	exchanges map[string]vectors.Exchange
	ordinal   uint64 // of the last exchange that was played
}

type fakeClock struct{ now uint64 }

func (c *fakeClock) Realtime() uint64 { return c.now }

// SendToClient is the bus: it keeps a copy.
func (r *recording) SendToClient(_ u128.Uint128, message *buffer.Buffer) {
	r.sent = append(r.sent, bytes.Clone(message.Bytes))
}

func newRecording(t *testing.T, scenario vectors.Scenario) *recording {
	r := &recording{t: t, scenario: scenario, exchanges: map[string]vectors.Exchange{}, ordinal: 1}
	for _, exchange := range scenario.Exchanges {
		r.exchanges[string(scenario.Messages[exchange.Request].Bytes)] = exchange
	}
	r.disk = faultdisk.New(rand.New(rand.NewPCG(1, 2)))
	r.layout = vsr.LayoutDefault(false)
	r.layout.SessionsMax = 64
	r.disk.Poke(0, vsr.Format(vsr.FormatConfig{ReplicaCount: 1, Layout: r.layout}))
	r.clock.now = 1
	r.start()
	return r
}

// start opens a replica on the disk as it is.
func (r *recording) start() {
	r.replica = vsr.New(vsr.Options{
		Storage: r.disk, Bus: r, Clock: &r.clock, Pool: &r.pool,
		NewStateMachine: func(g *grid.Grid, fault func(error)) vsr.StateMachine {
			return forest.New(g, new(queue), forest.Options{Fault: fault})
		},
		Release:          wire.Release0_17_9,
		ReleaseClientMin: wire.Release0_17_0,
		FileSize:         r.layout.GridOffset(),
	})
	opened := false
	r.replica.Open(func(err error) {
		if err != nil {
			r.t.Fatal(err)
		}
		opened = true
	})
	r.settle()
	if !opened {
		r.t.Fatal("the replica did not open")
	}
}

// settle lets the replica and its disk run until nothing is left to do.
func (r *recording) settle() {
	for {
		more := r.replica.Step()
		if err := r.replica.Err(); err != nil {
			r.t.Fatal(err)
		}
		if !r.disk.Step() && !more && !r.replica.Step() {
			return
		}
	}
}

func (r *recording) play() {
	var expected []vectors.Message
	for _, message := range r.scenario.Messages {
		if message.Direction == vectors.ServerToClient {
			expected = append(expected, message)
		}
	}
	for _, message := range r.scenario.Messages {
		if message.Direction != vectors.ClientToServer || !message.Valid {
			continue // a wrong checksum never gets past the bus
		}
		if len(expected) > 0 && expected[0].Seq > message.Seq {
			for uint64(r.replica.View()) < expected[0].Header.Number("view").Lo {
				r.start()
			}
		}
		r.send(message)
		for _, got := range r.sent {
			if len(expected) == 0 {
				r.t.Fatalf("after %s: unexpected %x", message.File, got[:wire.HeaderSize])
			}
			if !bytes.Equal(got, expected[0].Bytes) {
				r.t.Fatalf("after %s: want %s\n%s\ngot\n%s", message.File, expected[0].File,
					hex.Dump(expected[0].Bytes[:min(1024, len(expected[0].Bytes))]), hex.Dump(got[:min(1024, len(got))]))
			}
			expected = expected[1:]
		}
		r.sent = nil
	}
	for _, missing := range expected {
		r.t.Errorf("%s was not sent", missing.File)
	}
}

// send gives the replica one message at the time at which it was executed.
func (r *recording) send(message vectors.Message) {
	if exchange, ok := r.exchanges[string(message.Bytes)]; ok && exchange.Op > r.ordinal {
		if exchange.Op > r.ordinal+1 {
			r.skipTo(exchange)
		}
		r.ordinal = exchange.Op
		r.clock.now = exchange.Timestamp - slots(message)
	} else if r.scenario.Name == "evicted_no_session" && !ok {
		r.registerOthers(64)
	}
	buf := r.pool.Acquire(len(message.Bytes))
	copy(buf.Bytes, message.Bytes)
	r.replica.OnMessage(buf)
	buf.Release()
	r.settle()
}

// skipTo lets what was executed without a client happen: the pulse that
// expires a transfer. Its timestamp is in a later answer.
func (r *recording) skipTo(exchange vectors.Exchange) {
	for _, later := range r.scenario.Exchanges {
		if ledger.Operation(later.Operation) != ledger.OperationGetChangeEvents {
			continue
		}
		body := r.scenario.Messages[later.Reply].Bytes[wire.HeaderSize:]
		for ; len(body) > 0; body = body[ledger.ChangeEventSize:] {
			var event ledger.ChangeEvent
			event.Decode(body)
			if event.Type == ledger.ChangeEventTwoPhaseExpired && event.Timestamp < exchange.Timestamp {
				r.clock.now = event.Timestamp - pulseSlots
				r.settle()
				r.ordinal++
			}
		}
	}
	if exchange.Op != r.ordinal+1 {
		r.t.Fatalf("op %d was executed after op %d", exchange.Op, r.ordinal)
	}
}

const pulseSlots = 8190

// slots returns how many timestamps a request uses up.
func slots(message vectors.Message) uint64 {
	switch ledger.Operation(message.Header.Number("operation").Lo) {
	case ledger.OperationCreateAccounts, ledger.OperationCreateTransfers,
		ledger.OperationCreateAccountsSparse, ledger.OperationCreateTransfersSparse,
		ledger.OperationCreateAccountsUnbatched, ledger.OperationCreateTransfersUnbatched:
		n := uint64(0)
		for _, count := range message.BatchCounts {
			n += uint64(count)
		}
		return n
	}
	return 0
}

// registerOthers registers so many clients that were not recorded.
func (r *recording) registerOthers(count int) {
	for i := range count {
		r.clock.now += 1000
		request := wire.Request{Client: u128.From64(uint64(i + 1)), Operation: wire.OperationRegister}
		request.Size, request.Release = wire.HeaderSize+wire.RegisterSize, wire.Release0_17_9
		buf := r.pool.Acquire(int(request.Size))
		clear(buf.Bytes)
		request.Encode(buf.Bytes)
		wire.Seal(buf.Bytes)
		r.replica.OnMessage(buf)
		buf.Release()
		r.settle()
	}
	r.sent = nil
}
