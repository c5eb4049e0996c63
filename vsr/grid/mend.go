package grid

import (
	"fmt"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/buffer"
)

// missing is a block that is damaged here and has been asked for elsewhere.
type missing struct {
	ref     block.Ref
	waiting []func() // reads, to be done again
	asked   int      // how often
	// checkpoint counts those that there were when the damage was found: unless
	// somebody waits for it, the block may have been freed by the next.
	checkpoint uint64
	request    blockio.Request
	arrived    bool
}

// mend lets a read wait for a block to come from elsewhere, after which again
// reads it once more. It reports false if there is nobody to ask.
func (g *Grid) mend(ref block.Ref, again func()) bool {
	m := g.findMissing(ref)
	if m == nil {
		if g.config.Missing == nil || !g.config.Missing(ref, 0) {
			return false
		}
		m = &missing{ref: ref, checkpoint: g.checkpoint.count, asked: 1}
		g.missing = append(g.missing, m)
	}
	if again != nil {
		m.waiting = append(m.waiting, again)
	}
	return true
}

func (g *Grid) findMissing(ref block.Ref) *missing {
	for _, m := range g.missing {
		if m.ref == ref {
			return m
		}
	}
	return nil
}

// Mend fetches a block from elsewhere that a Scrubber has found damaged, if its
// header still says which one it was. It reports false if that is not known.
func (g *Grid) Mend(damage *CorruptError) bool {
	if damage.Err != nil || damage.Want == damage.Got || damage.Want.IsZero() {
		return false
	}
	return g.mend(block.Ref{Address: damage.Address, Checksum: damage.Want}, nil)
}

// AskAgain asks once more for the blocks that are missing, and returns how often
// at most one of them has been asked for.
func (g *Grid) AskAgain() (most int) {
	kept := g.missing[:0]
	for _, m := range g.missing {
		if len(m.waiting) == 0 && m.checkpoint != g.checkpoint.count && !m.arrived {
			continue
		}
		kept = append(kept, m)
		if !m.arrived {
			g.config.Missing(m.ref, m.asked)
			m.asked++
			most = max(most, m.asked)
		}
	}
	clear(g.missing[len(kept):])
	g.missing = kept
	return most
}

// Put takes a block that Config.Missing has asked for, whole as Sender.Block gave
// it: it is written in the place of the damaged one, and read again by who waits.
func (g *Grid) Put(ref block.Ref, whole []byte) {
	m := g.findMissing(ref)
	if g.failed || m == nil || m.arrived || len(m.waiting) == 0 && m.checkpoint != g.checkpoint.count {
		return
	}
	buf := buffer.Aligned(g.config.BlockSize)
	if !unpack(buf, whole, ref) {
		return
	}
	m.arrived = true
	m.request = blockio.Request{
		Kind: blockio.Write, Offset: g.offset(ref.Address), Buf: buf[:blockio.RoundUp(len(whole))],
		Done: func(r *blockio.Request) { g.mended(m, r) },
	}
	g.storage.Submit(&m.request)
}

func (g *Grid) mended(m *missing, r *blockio.Request) {
	if r.Err != nil {
		g.fail(fmt.Errorf("grid: mend %v at offset %d: %w", m.ref.Address, r.Offset, r.Err))
	}
	if g.failed {
		return
	}
	for i := range g.missing {
		if g.missing[i] == m {
			g.missing = append(g.missing[:i], g.missing[i+1:]...)
			break
		}
	}
	for _, again := range m.waiting {
		again()
	}
}
