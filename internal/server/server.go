// Package server is the production loop: it joins one replica to the disk, the
// network and the clock, and drives it from a single goroutine.
//
// It decides nothing. Whatever happens, a message or the completion of disk
// I/O, is posted to the loop, which hands it to the replica and lets the
// replica take its next step. When the replica fails, the server stops: Wait
// returns why.
package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/node"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/io/bus"
	"github.com/ledgerd/ledgerd/io/disk"
	"github.com/ledgerd/ledgerd/vsr"
)

// ErrAddresses is the class of errors about the list of addresses.
var ErrAddresses = errors.New("addresses do not fit the data file")

// Config says which replica to start, and how.
type Config struct {
	// Path names the data file.
	Path string
	// Addresses are those of all replicas, host:port, by replica index. Port
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
	config  Config
	disk    *disk.Disk
	loop    *loop
	workers *workers
	pool    buffer.Pool
	bus     *bus.Bus // set by the loop when the replica has opened
	stopped chan struct{}
	err     error // why the loop ended; valid after stopped is closed
}

// Start opens the data file, brings the replica to where it was, and listens.
// It returns when the replica serves clients. The error says what is wrong
// with the file, the disk or the address; the file is then as it was.
func Start(config Config) (*Server, error) {
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	if err := config.setCaches(); err != nil {
		return nil, err
	}
	s := &Server{config: config, loop: newLoop(), stopped: make(chan struct{})}
	var err error
	s.disk, err = disk.Open(config.Path, disk.Options{
		Complete:      s.loop.complete,
		AllowBuffered: config.Development,
		Logger:        config.Logger,
	})
	if err != nil {
		return nil, err
	}
	if err := s.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", config.Path, err), s.disk.Close())
	}
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

// open starts the loop and waits until the replica serves or has failed.
func (s *Server) open() error {
	info, err := os.Stat(s.config.Path)
	if err != nil {
		return err
	}
	s.workers = startWorkers(s.loop.worked)
	s.loop.replica = node.New(node.Options{
		Storage:        s.disk,
		Bus:            s,
		Clock:          systemClock{},
		Pool:           &s.pool,
		Workers:        s.workers,
		FileSize:       info.Size(),
		Identity:       s.config.Identity,
		RequestSizeMax: s.requestSizeMax(),
		GridCacheSize:  int(s.config.CacheGrid),
		CacheAccounts:  s.config.CacheAccounts,
	})
	started := time.Now()
	opened := make(chan error, 1)
	s.loop.replica.Open(func(err error) {
		if err == nil {
			err = s.listen()
		}
		opened <- err
	})
	go func() {
		s.err = s.loop.run()
		close(s.stopped)
	}()
	if err := <-opened; err != nil {
		s.stop()
		return err
	}
	s.config.Logger.Info("serving", "address", s.Addr().String(), "file", s.config.Path,
		"view", uint32(s.loop.replica.View()), "cache grid", s.config.CacheGrid, "cache accounts", s.config.CacheAccounts,
		"opened in", time.Since(started).Round(time.Millisecond))
	return nil
}

// requestSizeMax returns the request limit to impose, 0 for none.
func (s *Server) requestSizeMax() int {
	if s.config.RequestSizeMax == 0 && s.config.Development {
		return requestSizeDevelopment
	}
	return s.config.RequestSizeMax
}

// listen begins to accept clients. The loop calls it when the replica has
// opened: only then is the cluster known, and anything to say to a client.
func (s *Server) listen() error {
	replica := s.loop.replica
	if count := int(replica.ReplicaCount()); len(s.config.Addresses) != count {
		return fmt.Errorf("%w: %d given, the cluster has %d replicas", ErrAddresses, len(s.config.Addresses), count)
	}
	var err error
	s.bus, err = bus.Listen(bus.Config{
		Cluster: replica.Cluster(),
		Address: s.config.Addresses[replica.Index()],
		Pool:    &s.pool,
		Deliver: s.loop.deliver,
		Logger:  s.config.Logger,
	})
	return err
}

// SendToClient implements vsr.Bus for the replica, which sends nothing before
// it has opened.
func (s *Server) SendToClient(client u128.Uint128, message *buffer.Buffer) {
	s.bus.SendToClient(client, message)
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
// durable already; what was under way is answered after the next start.
func (s *Server) Close() error {
	s.stop()
	return s.disk.Close()
}

// stop ends the loop, then what works for it.
func (s *Server) stop() {
	s.loop.end()
	<-s.stopped
	s.workers.close()
	if s.bus != nil {
		s.bus.Close()
	}
}

// systemClock is the clock of the machine.
type systemClock struct{}

// Realtime returns nanoseconds since the Unix epoch.
func (systemClock) Realtime() uint64 { return uint64(time.Now().UnixNano()) }
