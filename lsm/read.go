package lsm

import (
	"fmt"

	"github.com/ledgerd/ledgerd/lsm/table"
)

// loadIndex reads the index of a written table. done is called later.
func (t *Tree) loadIndex(s *sortedTable, done func(error)) {
	s.waiting = append(s.waiting, done)
	if len(s.waiting) > 1 {
		return
	}
	t.grid.Read(s.root, func(payload []byte, err error) {
		if err == nil {
			s.index, err = t.openRoot(s, payload)
		}
		waiting := s.waiting
		s.waiting = nil
		for _, done := range waiting {
			done(err)
		}
	})
}

// openRoot decodes an index, which must be of the table that the manifest says.
func (t *Tree) openRoot(s *sortedTable, payload []byte) (*table.Index, error) {
	x, err := table.DecodeRoot(payload)
	if err != nil {
		return nil, fmt.Errorf("%v: %w", s.root.Address, err)
	}
	if x.Words != t.config.Words || x.First() != s.first || x.Last != s.last ||
		x.Entries != s.entries || x.Tombstones != s.tombstones ||
		x.Low != s.low || x.High != s.high || len(x.Blocks)+1 != s.blocks {
		return nil, fmt.Errorf("%v is the root of another table than the manifest says", s.root.Address)
	}
	for i := range x.Pages {
		if p := &x.Pages[i]; p.Size == 0 || int64(p.Offset)+int64(p.Size) > int64(t.grid.PayloadSize()) {
			return nil, fmt.Errorf("%v: page %d is outside of its block", s.root.Address, i)
		}
	}
	return x, nil
}

// pageNow returns a page of a table with an index if it is in memory.
func (t *Tree) pageNow(s *sortedTable, n int) (page []byte, ok bool) {
	p := &s.index.Pages[n]
	if s.image != nil {
		payload := s.image.Tail
		if int(p.Block) < len(s.image.Blocks) {
			payload = s.image.Blocks[p.Block]
		}
		return payload[p.Offset:][:p.Size], true
	}
	return t.grid.TryPart(s.ref(int(p.Block)), int(p.Offset), int(p.Size))
}

// readPage reads a page of a written table. It is good until done returns.
func (t *Tree) readPage(s *sortedTable, n int, done func(page []byte, err error)) {
	p := &s.index.Pages[n]
	t.grid.ReadPart(s.ref(int(p.Block)), int(p.Offset), int(p.Size), p.Sum, done)
}

// find looks a key up in a page of a table.
func (t *Tree) find(s *sortedTable, data []byte, key Key) (value uint64, found bool, err error) {
	page, err := table.OpenPage(data, t.config.Words)
	if err == nil {
		value, found, err = page.Find(key)
	}
	if err != nil {
		err = s.pageError(err)
	}
	return value, found, err
}

func (s *sortedTable) pageError(err error) error {
	return fmt.Errorf("table with its root in %v: %w", s.root.Address, err)
}
