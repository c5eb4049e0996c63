package vsr_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sort"
	"strings"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/buffer"
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

// Example replicates a key-value store on three replicas. The primary dies, and
// the others go on without it; then the power fails, and all is on the disks.
func Example() {
	c := startCluster()
	client := &exampleClient{cluster: c, id: u128.From64(7)}
	client.register()
	fmt.Println("set:", client.call(opSet, "colour=green"))

	primary := client.reply.View % uint32(len(c.replicas))
	c.replicas[primary] = nil
	fmt.Println("get:", client.call(opGet, "colour"))
	fmt.Println("set:", client.call(opSet, "size=12"))
	fmt.Println("another primary:", client.reply.View%uint32(len(c.replicas)) != primary)

	// Only what was made durable is left. The one that died catches up.
	for i := range c.replicas {
		c.disks[i] = c.disks[i].PowerCut()
		c.start(i)
	}
	fmt.Println("get:", client.call(opGet, "colour"))
	fmt.Println("get:", client.call(opGet, "size"))
	for c.replicas[primary].CommitMin() < 6 {
		c.pass()
	}
	fmt.Println("replica", primary, "has executed", c.replicas[primary].CommitMin())
	// Output:
	// set: green
	// get: green
	// set: 12
	// another primary: true
	// get: green
	// get: 12
	// replica 1 has executed op 6
}

// cluster is three replicas with all that they need: a disk for each, a network,
// and the time.
type cluster struct {
	layout   vsr.Layout
	disks    [3]*faultdisk.Disk
	replicas [3]*vsr.Replica // nil: down
	pool     buffer.Pool
	now      uint64
	packets  []examplePacket
	replies  []wire.Reply
	bodies   []string // of replies
}

type examplePacket struct {
	to    uint8
	frame []byte
}

// startCluster formats three disks and starts a replica on each.
func startCluster() *cluster {
	c := &cluster{layout: vsr.LayoutDefault(true), now: 1_700_000_000_000_000_000}
	for i := range c.replicas {
		c.disks[i] = faultdisk.New(rand.New(rand.NewPCG(uint64(i), 1)))
		c.disks[i].Poke(0, vsr.Format(vsr.FormatConfig{Replica: uint8(i), ReplicaCount: 3, Layout: c.layout}))
		c.start(i)
	}
	return c
}

// start opens a replica on its disk. It serves when it has read what it needs.
func (c *cluster) start(i int) {
	c.replicas[i] = vsr.New(vsr.Options{
		Storage: c.disks[i], Bus: c, Peers: c, Clock: c, Pool: &c.pool,
		NewStateMachine:  newStore,
		Release:          wire.Release0_17_9,
		ReleaseClientMin: wire.ReleaseMin,
		FileSize:         c.layout.GridOffset(),
	})
	c.replicas[i].Open(func(err error) {
		if err != nil {
			panic(err)
		}
	})
}

// Realtime is the clock of all.
func (c *cluster) Realtime() uint64 { return c.now }

// SendToReplica is the network between replicas.
func (c *cluster) SendToReplica(to uint8, message *buffer.Buffer) {
	c.packets = append(c.packets, examplePacket{to, bytes.Clone(message.Bytes)})
}

// SendToClient is the network to clients.
func (c *cluster) SendToClient(_ u128.Uint128, message *buffer.Buffer) {
	var reply wire.Reply
	if err := reply.Decode(message.Bytes); err == nil {
		c.replies = append(c.replies, reply)
		c.bodies = append(c.bodies, string(message.Bytes[wire.HeaderSize:]))
	}
}

// pass lets a tick pass, and everything happen that can.
func (c *cluster) pass() {
	c.now += uint64(vsr.TickInterval)
	for busy := true; busy; {
		packets := c.packets
		c.packets, busy = nil, len(packets) > 0
		for _, packet := range packets {
			if r := c.replicas[packet.to]; r != nil {
				message := c.pool.Acquire(len(packet.frame))
				copy(message.Bytes, packet.frame)
				r.OnMessage(message)
				message.Release()
			}
		}
		for i, r := range c.replicas {
			if r != nil {
				busy = r.Step() || c.disks[i].Step() || busy
			}
		}
	}
	for _, r := range c.replicas {
		if r != nil {
			r.Tick()
		}
	}
}

// exampleClient makes requests, one after another.
type exampleClient struct {
	cluster *cluster
	id      u128.Uint128
	session uint64
	reply   wire.Reply // the latest
}

func (x *exampleClient) register() {
	x.send(wire.Request{Operation: wire.OperationRegister}, make([]byte, wire.RegisterSize))
	x.session = x.reply.Commit
}

// call makes one request and returns the body of its reply.
func (x *exampleClient) call(operation byte, text string) string {
	body := text + strings.Repeat(" ", -len(text)&(wire.BodyUnit-1))
	return x.send(wire.Request{
		Session: x.session, Request: x.reply.Request + 1, Parent: x.reply.Context, Operation: wire.Operation(operation),
	}, []byte(body))
}

// send sends a request to all replicas, again and again, until it is answered:
// it is executed once, however often it arrives.
func (x *exampleClient) send(header wire.Request, body []byte) string {
	header.Client, header.Release, header.Size = x.id, wire.Release0_17_9, uint32(wire.HeaderSize+len(body))
	frame := append(make([]byte, wire.HeaderSize), body...)
	header.Encode(frame)
	wire.Seal(frame)
	for c := x.cluster; ; {
		for i := range c.replicas {
			c.packets = append(c.packets, examplePacket{uint8(i), frame})
		}
		for range 10 {
			c.pass()
		}
		for i, reply := range c.replies {
			if reply.Client == x.id && reply.Request == header.Request {
				x.reply = reply
				return c.bodies[i]
			}
		}
	}
}

// parse splits "key=value", or "key", from the padding behind it.
func parse(body []byte) (key, value string) {
	key, value, _ = strings.Cut(strings.TrimRight(string(body), " "), "=")
	return key, value
}
