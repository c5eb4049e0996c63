package client

import (
	"context"
	crand "crypto/rand"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/ledgerd/ledgerd/client/session"
	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/wire"
)

// release is what the client announces (PROTOCOL.md section 6).
const release = wire.Release0_17_9

// Config says which cluster to connect to.
type Config struct {
	// Cluster is the id the data files were formatted with. A wrong one shows
	// as connections that replicas close at once.
	Cluster ledger.Uint128

	// Addresses are those of all replicas, in the order of their indexes: "3000"
	// (a port on loopback), "db1:3000", "db1" (port 3001), "[::1]:3000". One
	// element may also be a comma-separated list.
	Addresses []string

	// Logger hears of connections that fail and replicas that misbehave. Nil
	// means silence.
	Logger *slog.Logger
}

// Client is a session of a cluster. See the package comment.
type Client struct {
	cluster ledger.Uint128
	logger  *slog.Logger
	buffers buffer.Pool
	origin  time.Time // of the session's clock

	running sync.WaitGroup // the goroutines of all links
	stop    context.CancelFunc

	registered chan struct{} // closed when the session is granted
	stopped    chan struct{} // closed when the session has an error

	mu        sync.Mutex // guards what follows, and the queues of links
	session   *session.Session
	links     []*link // by replica index
	lastError error   // of a link, for the error of Connect

	timer   *time.Timer
	timerAt time.Duration // when it fires; no later than the session's deadline
}

// timerOff is a timerAt of a timer that is not set.
const timerOff = time.Duration(1<<63 - 1)

// Connect opens a session and returns once the cluster has granted it. It goes
// on trying until ctx ends; the error then says what went wrong last. ctx has
// no bearing on the Client that is returned.
func Connect(ctx context.Context, cfg Config) (*Client, error) {
	addresses, err := parseAddresses(cfg.Addresses)
	if err != nil {
		return nil, err
	}
	c := start(cfg, addresses)
	select {
	case <-c.registered:
		return c, nil
	case <-c.stopped:
		err = c.Err()
	case <-ctx.Done():
		err = ctx.Err()
	}
	c.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lastError != nil {
		err = fmt.Errorf("%w; %w", err, c.lastError)
	}
	return nil, fmt.Errorf("connect to %s: %w", strings.Join(addresses, ","), err)
}

// start makes a client and lets its links run.
func start(cfg Config, addresses []string) *Client {
	c := &Client{
		cluster:    cfg.Cluster,
		logger:     cfg.Logger,
		origin:     time.Now(),
		registered: make(chan struct{}),
		stopped:    make(chan struct{}),
		timerAt:    timerOff,
	}
	if c.logger == nil {
		c.logger = slog.New(slog.DiscardHandler)
	}
	c.session = session.New(session.Config{
		Cluster:  cfg.Cluster,
		Client:   newClientID(),
		Release:  release,
		Replicas: len(addresses),
		Random:   rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
		Buffers:  &c.buffers,
		Host:     (*host)(c),
	})
	c.timer = time.AfterFunc(time.Hour, c.tick)
	c.timer.Stop()
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	for i, address := range addresses {
		c.links = append(c.links, newLink(c, i, address))
	}
	for _, l := range c.links {
		c.running.Go(func() { l.run(ctx) })
	}
	return c
}

// newClientID draws the id of a session: random, and neither 0 nor 2^128-1.
func newClientID() ledger.Uint128 {
	for {
		var b [16]byte
		crand.Read(b[:]) // never fails: it would end the program
		id := u128.FromBytes(b[:])
		if !id.IsZero() && !id.IsMax() {
			return id
		}
	}
}

// Close ends the session and all connections. Calls that wait fail with
// ErrClosed; those whose request may have been sent, with ErrOutcomeUnknown
// too. When it returns, every goroutine of the client has ended. It always
// returns nil, and may be called again.
func (c *Client) Close() error {
	c.mu.Lock()
	c.session.Close(ErrClosed)
	c.settle()
	c.mu.Unlock()
	c.running.Wait()
	return nil
}

// Err returns nil while the session lives, else why calls fail: ErrClosed, an
// *EvictedError or ErrExhausted.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session.Err()
}

// run carries a call out and returns its error. It returns only when the call
// is complete, so that nobody reads the caller's events afterwards; completing
// a call that is given up is immediate.
func (c *Client) run(ctx context.Context, call *session.Call, done <-chan struct{}) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	c.session.Submit(c.now(), call)
	c.settle()
	c.mu.Unlock()
	select {
	case <-done:
	case <-ctx.Done():
		c.mu.Lock()
		c.session.Withdraw(call, ctx.Err())
		c.mu.Unlock()
		<-done
	}
	return call.Err
}

// now is the session's clock.
func (c *Client) now() time.Duration { return time.Since(c.origin) }

// tick is the timer's function.
func (c *Client) tick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timerAt = timerOff
	c.session.Tick(c.now())
	c.settle()
}

// settle follows every event given to the session, under the same lock: it
// sets the timer and tells of changes of state.
//
// A deadline that moves away leaves the timer as it is: firing early is
// harmless, and cheaper than setting it anew for each request.
func (c *Client) settle() {
	if c.session.Registered() && !isClosed(c.registered) {
		close(c.registered)
	}
	if c.session.Err() != nil && !isClosed(c.stopped) {
		close(c.stopped)
		c.timer.Stop()
		c.stop()
	}
	if at, ok := c.session.Deadline(); ok && at < c.timerAt {
		c.timerAt = at
		c.timer.Reset(max(0, at-c.now()))
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// noteError keeps and logs the error of a link, unless the client is closing
// it and so is the cause.
func (c *Client) noteError(l *link, err error) {
	c.mu.Lock()
	over := c.session.Err() != nil
	if !over {
		c.lastError = err
	}
	c.mu.Unlock()
	if !over {
		c.logger.Warn("connection failed", "replica", l.replica, "address", l.address, "error", err)
	}
}
