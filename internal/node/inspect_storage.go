package node

import (
	"bytes"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/vsr"
)

// queue is forest.Workers for who has nothing else to do: a job runs when step is
// called.
type queue struct{ waiting []func() }

// Go implements forest.Workers.
func (q *queue) Go(job, done func()) {
	q.waiting = append(q.waiting, func() { job(); done() })
}

// step does the first job that waits, and reports whether there was one.
func (q *queue) step() bool {
	if len(q.waiting) == 0 {
		return false
	}
	next := q.waiting[0]
	q.waiting = q.waiting[1:]
	next()
	return true
}

// readOnly passes reads on to a storage. What is written it keeps in memory, and
// gives it to those that read it: verifyLedger does what the last request has
// left to do, which may end merges.
type readOnly struct {
	storage   vsr.Storage
	reads     func(bytes int) // told of each, unless nil
	bytesRead int64
	writes    int              // how many there were
	written   map[int64][]byte // sectors, by offset
	waiting   []*blockio.Request
}

// Submit implements vsr.Storage.
func (s *readOnly) Submit(r *blockio.Request) {
	if r.Kind == blockio.Read {
		s.read(r)
		return
	}
	if r.Kind == blockio.Write {
		s.writes++
		for at := 0; at < len(r.Buf); at += blockio.SectorSize {
			s.written[r.Offset+int64(at)] = bytes.Clone(r.Buf[at:][:blockio.SectorSize])
		}
	}
	s.waiting = append(s.waiting, r)
}

func (s *readOnly) read(r *blockio.Request) {
	s.bytesRead += int64(len(r.Buf))
	if s.reads != nil {
		s.reads(len(r.Buf))
	}
	if len(s.written) > 0 {
		done := r.Done
		r.Done = func(r *blockio.Request) {
			r.Done = done
			for at := 0; at < len(r.Buf); at += blockio.SectorSize {
				copy(r.Buf[at:], s.written[r.Offset+int64(at)])
			}
			done(r)
		}
	}
	s.storage.Submit(r)
}

// step completes one request that was not passed on, and reports whether there
// was one.
func (s *readOnly) step() bool {
	if len(s.waiting) == 0 {
		return false
	}
	r := s.waiting[0]
	s.waiting = s.waiting[1:]
	r.Err = nil
	r.Done(r)
	return true
}
