// Package server is the production loop: it joins one replica to the disk, the
// network and the clock, and drives it from a single goroutine.
//
// It decides nothing. Whatever happens, a message or the completion of disk
// I/O, is posted to the loop, which hands it to the replica and lets the
// replica take its next step. When the replica fails, the server stops: Wait
// returns why. One that has to be opened again, to take over a checkpoint of
// another replica, is: connections stay, everything else is made anew (see life).
package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/io/bus"
	"github.com/ledgerd/ledgerd/vsr"
)

// ErrAddresses is the class of errors about the list of addresses.
var ErrAddresses = errors.New("addresses do not fit the data file")

// Config says which replica to start, and how.
type Config struct {
	// Path names the data file.
	Path string
	// Addresses are those of all replicas and standbys, host:port, by index. Port
	// 0 of a single replica picks a free one; see Server.Addr.
	Addresses []string
	// Identity, unless nil, is whose data file it must be.
	Identity *Identity
	// Development permits a file system without direct I/O, and limits
	// requests to 32 KiB unless RequestSizeMax says otherwise.
	Development bool
	// RequestSizeMax is the largest request accepted, in bytes; 0 means what
	// the data file was formatted for.
	RequestSizeMax int
	// CacheGrid bounds what parts of blocks that were read take in memory, and
	// CacheAccounts what accounts do, in bytes: 0 means the default, anything
	// else is at least CacheSizeMin. More makes cold records faster to find.
	CacheGrid, CacheAccounts int64
	// Logger; nil means slog.Default.
	Logger *slog.Logger

	clock vsr.Clock // nil: that of the machine; tests have their own
}

// Identity says which replica of which cluster a data file belongs to.
type Identity = vsr.Identity

// CacheSizeMin is the smallest of Config's caches, in bytes.
const CacheSizeMin = 1 << 20

const (
	// requestSizeDevelopment is the request limit of a server in development
	// mode.
	requestSizeDevelopment = 32 << 10
	// cacheDevelopment is the default of both caches in development mode, in
	// bytes; the others are those of a server in production.
	cacheDevelopment = 16 << 20
	cacheGrid        = 128 << 20
	cacheAccounts    = 256 << 20
)

// ErrCacheSize is the class of errors about Config's caches.
var ErrCacheSize = errors.New("cache is too small")

// Server is a running replica. Its methods may be called from any goroutine.
type Server struct {
	config Config
	pool   buffer.Pool
	bus    *bus.Bus // set when the replica has opened for the first time
	// opened is told, once, how that went; nil afterwards. The loop's own.
	opened chan<- error
	life   atomic.Pointer[life]
	closed atomic.Bool
	// stopped is closed when the last life has ended. Valid after that: err is
	// why, closeErr how the data file was closed.
	stopped       chan struct{}
	err, closeErr error
}

// Start opens the data file, brings the replica to where it was, and listens.
// It returns when the replica serves clients. The error says what is wrong
// with the file, the disk or the address; the file is then as it was.
func Start(config Config) (*Server, error) {
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	if config.clock == nil {
		config.clock = systemClock{}
	}
	if err := config.setCaches(); err != nil {
		return nil, err
	}
	s := &Server{config: config, stopped: make(chan struct{})}
	first, err := s.begin()
	if err != nil {
		return nil, err
	}
	started, opened := time.Now(), make(chan error, 1)
	s.opened = opened
	go s.run(first)
	select {
	case err = <-opened:
	case <-s.stopped: // it could not be opened again
		err = s.err
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", config.Path, err), s.Close())
	}
	config.Logger.Info("serving", "address", s.Addr().String(), "file", config.Path,
		"cache grid", config.CacheGrid, "cache accounts", config.CacheAccounts,
		"opened in", time.Since(started).Round(time.Millisecond))
	return s, nil
}

// setCaches puts in the defaults, and judges what was given.
func (c *Config) setCaches() error {
	for _, cache := range []struct {
		name   string
		size   *int64
		normal int64
	}{{"grid", &c.CacheGrid, cacheGrid}, {"accounts", &c.CacheAccounts, cacheAccounts}} {
		switch size := *cache.size; {
		case size == 0 && c.Development:
			*cache.size = cacheDevelopment
		case size == 0:
			*cache.size = cache.normal
		case size < CacheSizeMin:
			return fmt.Errorf("%w: %d bytes for the %s; give at least %d, or 0 for the default",
				ErrCacheSize, size, cache.name, CacheSizeMin)
		}
	}
	return nil
}

// requestSizeMax returns the request limit to impose, 0 for none.
func (s *Server) requestSizeMax() int {
	if s.config.RequestSizeMax == 0 && s.config.Development {
		return requestSizeDevelopment
	}
	return s.config.RequestSizeMax
}

// onOpen is called by the loop when a replica has opened, or could not be. That it
// has to be opened again tells nothing yet.
func (s *Server) onOpen(replica *vsr.Replica, err error) {
	if s.opened == nil || errors.Is(err, vsr.ErrRestart) {
		return
	}
	if err == nil {
		err = s.listen(replica)
	}
	s.opened <- err
	s.opened = nil
}

// listen begins to accept connections, and to make those to other replicas. The
// replica must have opened: only then is the cluster known, and anything to say.
func (s *Server) listen(replica *vsr.Replica) error {
	addresses := s.config.Addresses
	count := int(replica.ReplicaCount())
	if len(addresses) != count && (count == 1 || len(addresses) < count || len(addresses) > count+vsr.StandbysMax) {
		return fmt.Errorf("%w: %d given, the cluster has %d replicas; give those of all, in the order of their indexes, then those of standbys",
			ErrAddresses, len(addresses), count)
	}
	if int(replica.Index()) >= len(addresses) {
		return fmt.Errorf("%w: %d given, and this is standby %d", ErrAddresses, len(addresses), replica.Index())
	}
	var err error
	s.bus, err = bus.Listen(bus.Config{
		Cluster:  replica.Cluster(),
		Address:  addresses[replica.Index()],
		Replicas: addresses,
		Replica:  replica.Index(),
		Pool:     &s.pool,
		Deliver:  func(message *buffer.Buffer) { s.life.Load().loop.deliver(message) },
		Logger:   s.config.Logger,
	})
	return err
}

// SendToClient implements vsr.Bus for the replica. Where the server does not
// listen there is nobody to send to.
func (s *Server) SendToClient(client u128.Uint128, message *buffer.Buffer) {
	if s.bus != nil {
		s.bus.SendToClient(client, message)
	}
}

// SendToReplica implements vsr.Peers likewise.
func (s *Server) SendToReplica(replica uint8, message *buffer.Buffer) {
	if s.bus != nil {
		s.bus.SendToReplica(replica, message)
	}
}

// Addr returns the address at which clients are served.
func (s *Server) Addr() net.Addr { return s.bus.Addr() }

// Wait returns when the server has stopped: nil after Close, otherwise why the
// replica failed. A failed replica has stopped serving; the process should
// end.
func (s *Server) Wait() error {
	<-s.stopped
	return s.err
}

// Close stops serving and closes the data file. Everything acknowledged is
// durable already; what was under way is answered after the next start. It must
// be called once.
func (s *Server) Close() error {
	s.closed.Store(true)
	s.life.Load().loop.end()
	<-s.stopped
	if s.bus != nil {
		s.bus.Close()
	}
	return s.closeErr
}

// systemClock is the clock of the machine.
type systemClock struct{}

// Realtime returns nanoseconds since the Unix epoch.
func (systemClock) Realtime() uint64 { return uint64(time.Now().UnixNano()) }
