package vsr_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sort"
	"strings"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/vsr"
	"github.com/ledgerd/ledgerd/vsr/faultdisk"
	"github.com/ledgerd/ledgerd/vsr/grid"
	"github.com/ledgerd/ledgerd/wire"
)

// store is a small key-value store: the state machine of the example.
type store struct {
	grid   *grid.Grid
	values map[string]string
	saved  block.Ref // the stream of the last checkpoint
}

// Operations of the store. A body is a key, or key=value, padded with spaces
// to a multiple of 16 bytes.
const (
	opSet byte = 128
	opGet byte = 129
)

func newStore(g *grid.Grid, _ func(error)) vsr.StateMachine {
	return &store{grid: g, values: map[string]string{}}
}

func (s *store) Check(operation byte, body []byte, _ int) (slots int, known, valid bool) {
	return 0, operation == opSet || operation == opGet, len(body) > 0
}

// Pulse is for work that time brings about; a plain store has none.
func (s *store) Pulse(uint64) (slots int, due bool) { return 0, false }

// Prefetch has nothing to do: everything is in memory.
func (s *store) Prefetch(_ byte, _ uint64, _ []byte, done func()) { done() }

func (s *store) Commit(operation byte, _ uint64, body, reply []byte) []byte {
	key, value := parse(body)
	if operation == opSet {
		s.values[key] = value
	}
	return append(reply, s.values[key]...)
}

// Checkpoint writes the whole store as one stream. The keys are sorted: every
// replica must write the same bytes.
func (s *store) Checkpoint(done func(root []byte)) {
	if !s.saved.IsZero() {
		s.grid.ReleaseStream(s.saved)
	}
	keys := make([]string, 0, len(s.values))
	for key := range s.values {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	var content []byte
	for _, key := range keys {
		for _, text := range []string{key, s.values[key]} {
			content = binary.LittleEndian.AppendUint32(content, uint32(len(text)))
			content = append(content, text...)
		}
	}
	s.grid.WriteStream(100, content, func(head block.Ref) {
		s.saved = head
		root := make([]byte, block.RefSize)
		head.Put(root)
		done(root)
	})
}

func (s *store) Open(root []byte, done func(error)) {
	if len(root) == 0 {
		done(nil)
		return
	}
	s.saved = block.RefFrom(root)
	s.grid.ReadStream(s.saved, func(content []byte, err error) {
		var texts []string
		for err == nil && len(content) > 0 {
			if len(content) < 4 || int(binary.LittleEndian.Uint32(content)) > len(content)-4 {
				err = errors.New("the store's checkpoint ends within a text")
				break
			}
			n := int(binary.LittleEndian.Uint32(content)) + 4
			texts, content = append(texts, string(content[4:n])), content[n:]
		}
		for i := 0; i+1 < len(texts); i += 2 {
			s.values[texts[i]] = texts[i+1]
		}
		done(err)
	})
}

// Example replicates a key-value store on a cluster of one, cuts the power,
// and finds everything again on the disk.
func Example() {
	layout := vsr.LayoutDefault(true)
	disk := faultdisk.New(rand.New(rand.NewPCG(1, 1)))
	disk.Poke(0, vsr.Format(vsr.FormatConfig{ReplicaCount: 1, Layout: layout}))

	cluster := start(disk, layout)
	client := &exampleClient{id: u128.From64(7), cluster: cluster}
	client.register()
	fmt.Println("set:", client.call(opSet, "colour=green"))
	fmt.Println("set:", client.call(opSet, "size=12"))

	// Only what was made durable is left.
	client.cluster = start(disk.PowerCut(), layout)
	fmt.Println("get:", client.call(opGet, "colour"))
	fmt.Println("get:", client.call(opGet, "size"))
	fmt.Println(client.cluster.replica.CommitMin(), "in view", client.cluster.replica.View())
	// Output:
	// set: green
	// set: 12
	// get: green
	// get: 12
	// op 5 in view 2
}

// cluster is one replica with all that it needs. It is its own bus and clock.
type cluster struct {
	disk    *faultdisk.Disk
	replica *vsr.Replica
	replies []string // bodies
	context checksum.Sum
	session uint64
}

// start opens a replica on the disk.
func start(disk *faultdisk.Disk, layout vsr.Layout) *cluster {
	c := &cluster{disk: disk}
	c.replica = vsr.New(vsr.Options{
		Storage: disk, Bus: c, Clock: c, Pool: &buffer.Pool{},
		NewStateMachine:  newStore,
		Release:          wire.Release0_17_9,
		ReleaseClientMin: wire.ReleaseMin,
		FileSize:         layout.GridOffset(),
	})
	c.replica.Open(func(err error) {
		if err != nil {
			panic(err)
		}
	})
	c.run()
	return c
}

// run lets the replica and its disk work until both are idle.
func (c *cluster) run() {
	for c.replica.Step() || c.disk.Step() {
	}
}

// Realtime is the clock.
func (c *cluster) Realtime() uint64 { return 1_700_000_000_000_000_000 }

// SendToClient is the bus.
func (c *cluster) SendToClient(_ u128.Uint128, message *buffer.Buffer) {
	var reply wire.Reply
	if err := reply.Decode(message.Bytes); err != nil {
		panic(err)
	}
	c.context = reply.Context
	if reply.Operation == wire.OperationRegister {
		c.session = reply.Commit
	}
	c.replies = append(c.replies, string(message.Bytes[wire.HeaderSize:]))
}

// exampleClient makes requests, one after another.
type exampleClient struct {
	id      u128.Uint128
	cluster *cluster
	request uint32
	context checksum.Sum
	session uint64
}

func (x *exampleClient) register() {
	x.send(wire.OperationRegister, make([]byte, wire.RegisterSize))
	x.session = x.cluster.session
}

// call makes one request and returns the body of its reply.
func (x *exampleClient) call(operation byte, text string) string {
	x.request++
	body := text + strings.Repeat(" ", -len(text)&(wire.BodyUnit-1))
	return x.send(wire.Operation(operation), []byte(body))
}

func (x *exampleClient) send(operation wire.Operation, body []byte) string {
	header := wire.Request{
		Parent: x.context, Client: x.id, Session: x.session, Request: x.request, Operation: operation,
	}
	header.Release, header.Size = wire.Release0_17_9, uint32(wire.HeaderSize+len(body))
	message := new(buffer.Pool).Acquire(int(header.Size))
	copy(message.Bytes[wire.HeaderSize:], body)
	header.Encode(message.Bytes)
	wire.Seal(message.Bytes)
	x.cluster.replica.OnMessage(message)
	message.Release()
	x.cluster.run()
	x.context = x.cluster.context
	return x.cluster.replies[len(x.cluster.replies)-1]
}

// parse splits "key=value", or "key", from the padding behind it.
func parse(body []byte) (key, value string) {
	key, value, _ = strings.Cut(strings.TrimRight(string(body), " "), "=")
	return key, value
}
