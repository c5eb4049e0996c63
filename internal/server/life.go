package server

import (
	"errors"
	"os"

	"github.com/ledgerd/ledgerd/internal/node"
	"github.com/ledgerd/ledgerd/io/disk"
	"github.com/ledgerd/ledgerd/vsr"
)

// A life is a replica from the opening of its data file to its end, with all that
// works for it. A replica that has to be opened again gets another one: nothing
// of the old may still be on its way to the disk, or to the replica.
type life struct {
	replica *vsr.Replica
	loop    *loop
	disk    *disk.Disk
	workers *workers
}

// begin starts a life, and makes it the one that messages are delivered to.
func (s *Server) begin() (*life, error) {
	l := &life{loop: newLoop(s.config.Logger)}
	var err error
	l.disk, err = disk.Open(s.config.Path, disk.Options{
		Complete:      l.loop.complete,
		AllowBuffered: s.config.Development,
		Logger:        s.config.Logger,
	})
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(s.config.Path)
	if err != nil {
		return nil, errors.Join(err, l.disk.Close())
	}
	l.workers = startWorkers(l.loop.worked)
	l.replica = node.New(node.Options{
		Storage:        l.disk,
		Bus:            s,
		Peers:          s,
		Clock:          s.config.clock,
		Pool:           &s.pool,
		Workers:        l.workers,
		FileSize:       info.Size(),
		Identity:       s.config.Identity,
		RequestSizeMax: s.requestSizeMax(),
		GridCacheSize:  int(s.config.CacheGrid),
		CacheAccounts:  s.config.CacheAccounts,
	})
	l.loop.replica = l.replica
	s.life.Store(l)
	return l, nil
}

// end waits for all that works for the replica, whose loop has ended, and closes
// the data file.
func (l *life) end() error {
	l.workers.close()
	return l.disk.Close()
}

// run drives the replica through one life after the other, until it fails or the
// server is closed.
func (s *Server) run(l *life) {
	defer close(s.stopped)
	for {
		replica := l.replica
		replica.Open(func(err error) { s.onOpen(replica, err) })
		s.err = l.loop.run()
		s.closeErr = l.end()
		if !errors.Is(s.err, vsr.ErrRestart) || s.closeErr != nil {
			return
		}
		if l, s.err = s.begin(); s.err != nil {
			return
		}
		if s.closed.Load() {
			l.loop.end() // Close may have seen the life before
		}
	}
}
