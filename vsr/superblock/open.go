package superblock

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/checksum"
)

// Open reads the root of a file of fileSize bytes and writes nothing. After done
// with nil, State holds it. The error wraps one of the errors of this package.
func (s *Superblock) Open(fileSize int64, done func(error)) {
	if s.phase != phaseNew {
		panic("superblock: opened twice")
	}
	s.phase = phaseReading
	s.opened = func(err error) {
		switch {
		case err == nil && fileSize < s.durable.Layout.GridOffset():
			err = fmt.Errorf("%w: %d bytes, its zones need %d", ErrTruncated, fileSize, s.durable.Layout.GridOffset())
		case errors.Is(err, ErrQuorum) && fileSize < ZoneSize:
			err = fmt.Errorf("%w: %d bytes, its superblock alone needs %d", ErrTruncated, fileSize, ZoneSize)
		case err == nil:
			s.phase = phaseOpened
		}
		done(err)
	}
	s.readCopies()
}

func (s *Superblock) finishOpen() {
	var copies [Copies]copyFound
	for i := range Copies {
		c := &copies[i]
		if s.reads[i].Err != nil {
			c.verdict, c.err = copyUnreadable, s.reads[i].Err
			continue
		}
		c.state, c.sum, c.verdict = decodeCopy(s.reads[i].Buf, i)
		c.version = formatVersion(s.reads[i].Buf)
	}
	chosen, err := choose(&copies)
	if err != nil {
		s.opened(err)
		return
	}
	s.durable, s.checksum = copies[chosen].state, copies[chosen].sum
	s.wanted, s.writing = s.durable, s.durable
	for i := range Copies {
		s.bad[i] = copies[i].verdict != copyGood || copies[i].sum != s.checksum
	}
	s.opened(nil)
}

type copyFound struct {
	state   State
	sum     checksum.Sum
	verdict verdict
	version uint32 // of its format, if it is of another one
	err     error  // of an unreadable copy
}

// choose returns the index of a copy of the highest sequence that has openMin
// equal copies, or why there is none.
func choose(copies *[Copies]copyFound) (int, error) {
	best, rivals := -1, false
	for i := range Copies {
		a := &copies[i]
		if a.verdict != copyGood {
			continue
		}
		equal := 0
		for j := range Copies {
			if copies[j].verdict == copyGood && copies[j].sum == a.sum {
				equal++
			}
		}
		switch {
		case equal < openMin:
		case best < 0 || a.state.Sequence > copies[best].state.Sequence:
			best, rivals = i, false
		case a.state.Sequence == copies[best].state.Sequence && a.sum != copies[best].sum:
			rivals = true
		}
	}
	if best >= 0 && !rivals {
		return best, nil
	}
	return 0, reject(copies)
}

// reject says why no copy could be chosen.
func reject(copies *[Copies]copyFound) error {
	var counts [copyUnreadable + 1]int
	var versions [copyUnreadable + 1]uint32
	var texts []string
	for i := range Copies {
		v := copies[i].verdict
		counts[v]++
		versions[v] = copies[i].version
		text := fmt.Sprintf("copy %d at offset %d is %v", i, i*CopySlotSize, v)
		if v == copyGood {
			text += fmt.Sprintf(" with sequence %d", copies[i].state.Sequence)
		}
		if err := copies[i].err; err != nil {
			text += fmt.Sprintf(" (%v)", err)
		}
		texts = append(texts, text)
	}
	switch {
	case counts[copyForeign] == Copies:
		return ErrNotDataFile
	case counts[copyNewer] >= openMin:
		return fmt.Errorf("%w: version %d, and this release reads version %d: start a later release with it",
			ErrFormatNewer, versions[copyNewer], FormatVersion)
	case counts[copyOlder] >= openMin:
		return fmt.Errorf("%w: version %d, and this release reads version %d: start an earlier release with it, or format a new file",
			ErrFormatOlder, versions[copyOlder], FormatVersion)
	}
	return fmt.Errorf("%w: %s", ErrQuorum, strings.Join(texts, ", "))
}

// Repair makes what Open found stable and rewrites the copies that differ from
// it. Update may be called after done.
func (s *Superblock) Repair(done func()) {
	if s.phase != phaseOpened {
		panic("superblock: Repair without Open")
	}
	s.repaired = done
	// What Open read may lie in a cache of the drive only, if the process died
	// in the middle of an update.
	s.phase = phaseSyncing
	s.storage.Submit(&s.sync)
}

func (s *Superblock) synced(r *blockio.Request) {
	if r.Err != nil {
		s.fail(fmt.Errorf("superblock: sync: %w", r.Err))
		return
	}
	s.phase = phaseMending
	var indexes []int
	for i, bad := range s.bad {
		if bad {
			indexes = append(indexes, i)
		}
	}
	if len(indexes) == 0 {
		s.finishRepair()
		return
	}
	s.write(indexes...)
}

func (s *Superblock) finishRepair() {
	s.bad = [Copies]bool{}
	s.phase = phaseReady
	s.repaired()
}
