package sim

import (
	"errors"
	"time"

	"github.com/ledgerd/ledgerd/client/session"
	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/wire"
)

// Times of a client.
const (
	reconnectMax = time.Second
	replaceMax   = 2 * time.Second
	patienceMax  = 5 * time.Second
)

// errGaveUp is the cause for which calls are withdrawn.
var errGaveUp = errors.New("gave up")

// client is one session and the calls that wait for it. When it is evicted
// another client with another id takes its place.
type client struct {
	sim     *simulation
	id      u128.Uint128
	session *session.Session
	random  random
	// connected says so for each replica.
	connected []bool
	// timer is when Tick is called next; 0: not at all.
	timer time.Duration

	outstanding int // calls
	working     bool
	evicted     bool
	// misbehaved says that it has asked for something invalid.
	misbehaved bool
	// activeAt is when it sent or received something last. Its latest request
	// that was executed, was so at executedAt or later. One that was ordered already
	// is executed also when the session has given way meanwhile: the latest request
	// that found the session there was executed at servedAt or later.
	activeAt, executedAt, servedAt time.Duration
}

// newClient adds a client to the run.
func (s *simulation) newClient() *client {
	c := &client{
		sim: s, id: u128.Uint128{Lo: uint64(len(s.clients) + 1), Hi: s.clientRandom.Uint64()},
		random: s.clientRandom, connected: make([]bool, s.options.cluster.replicas),
	}
	c.session = session.New(session.Config{
		Cluster: s.cluster, Client: c.id, Release: wire.Release0_17_9, Replicas: s.options.cluster.replicas,
		Random: s.clientRandom.Rand, Buffers: &s.buffers, Host: c,
	})
	s.clients = append(s.clients, c)
	s.clientByID[c.id] = c
	for _, r := range s.replicas {
		if r.process != nil && r.process.opened {
			s.connectClient(c, r.index)
		}
	}
	c.workSoon(s.workload.pause())
	return c
}

// busy reports whether a call of the client has not ended.
func (c *client) busy() bool { return c.outstanding > 0 }

// Send implements session.Host.
func (c *client) Send(replica int, message *buffer.Buffer) {
	if wire.CommandOf(message.Bytes) == wire.CommandRequest {
		c.sim.bus.request(message.Bytes)
		c.activeAt = c.sim.scheduler.now
	}
	c.sim.network.send(endpoint{client: c.id}, endpoint{replica: replica}, message)
}

// connect and disconnect follow the connection to a replica.
func (c *client) connect(replica int) {
	if !c.connected[replica] {
		c.connected[replica] = true
		c.session.Connected(c.sim.scheduler.now, replica)
		c.arm()
	}
}

func (c *client) disconnect(replica int) {
	if c.connected[replica] {
		c.connected[replica] = false
		c.session.Disconnected(c.sim.scheduler.now, replica)
		c.arm()
	}
}

// receive takes a packet from a replica.
func (c *client) receive(replica int, packet []byte) {
	s := c.sim
	if !c.connected[replica] {
		return
	}
	frame, err := wire.VerifyHeader(packet)
	if err != nil {
		s.fail("client %v received: %v", c.id, err)
		return
	}
	message := s.buffers.Acquire(len(packet))
	copy(message.Bytes, packet)
	if err := c.session.Receive(s.scheduler.now, replica, frame, message); err != nil {
		s.fail("client %v: %v", c.id, err)
	}
	message.Release()
	if frame.Command != wire.CommandPongClient {
		c.activeAt = s.scheduler.now
	}
	if frame.Command == wire.CommandReply {
		s.bus.answered(packet)
	}
	if c.session.Err() != nil && !c.evicted {
		c.evicted = true
		c.replace()
	}
	c.arm()
	if !s.calm && s.network.random.chance(s.options.network.breaks) {
		c.disconnect(replica)
		s.connectClient(c, replica)
	}
}

// arm sees to it that Tick is called when the session wants it.
func (c *client) arm() {
	s := c.sim
	at, ok := c.session.Deadline()
	if !ok || c.timer != 0 && c.timer <= at {
		return
	}
	at = max(at, s.scheduler.now+1)
	c.timer = at
	s.scheduler.after(at-s.scheduler.now, func() {
		if c.timer != at {
			return // an earlier one was set meanwhile
		}
		c.timer = 0
		c.session.Tick(s.scheduler.now)
		c.arm()
	})
}

// workSoon lets the client make its next calls after a pause.
func (c *client) workSoon(pause time.Duration) {
	if c.working {
		return
	}
	c.working = true
	c.sim.scheduler.after(pause, func() {
		c.working = false
		c.work()
	})
}

// work makes the calls of one request, if the client may.
func (c *client) work() {
	s := c.sim
	if s.over || c.session.Err() != nil || c.outstanding >= s.options.concurrency || s.workload.left == 0 || s.calm {
		return
	}
	for _, p := range s.workload.next() {
		c.submit(p)
	}
	c.arm()
	c.workSoon(s.workload.pause())
}

// call is one call and its outcome.
type call struct {
	session.Call
	client *client
	body   []byte
	ended  bool
}

func (c *client) submit(p part) {
	s := c.sim
	k := &call{client: c, body: p.body}
	k.Call = session.Call{Kind: p.kind, Events: p.events, Results: p.results, Submitter: k}
	c.outstanding++
	s.calls++
	c.session.Submit(s.scheduler.now, &k.Call)
	if !s.calm && c.random.chance(s.options.withdrawals) {
		s.scheduler.after(c.random.duration(0, patienceMax), func() {
			if !k.ended {
				c.session.Withdraw(&k.Call, errGaveUp)
			}
		})
	}
}

// Encode implements session.Submitter.
func (k *call) Encode(dst []byte) { copy(dst, k.body) }

// Complete implements session.Submitter.
func (k *call) Complete(*session.Call) {
	c := k.client
	s := c.sim
	if k.ended {
		s.fail("client %v: a call ended twice", c.id)
	}
	k.ended = true
	c.outstanding--
	if k.Reply != nil {
		k.Reply.Release()
		s.totals.Answers++
	}
	c.workSoon(s.workload.pause())
}

// replace lets another client come for this one, which was evicted.
func (c *client) replace() {
	s := c.sim
	s.totals.Evictions++
	s.trace("client %v: %v", c.id, c.session.Err())
	s.scheduler.after(c.random.duration(0, replaceMax), func() {
		if !s.calm && !s.over && s.workload.left > 0 {
			s.newClient()
		}
	})
}
