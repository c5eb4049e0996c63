package rowlog

import "testing"

// Once warm, nothing is allocated: not for rows, blocks, or reads.
func TestNoAllocations(t *testing.T) {
	disk, l := newRAMLog(t, 1<<26, 1<<20, false)
	positions := fill(disk, l, 100_000, 75)
	stamp := uint64(len(positions))
	zero := func(name string, f func()) {
		t.Helper()
		for range 3 {
			f()
		}
		if n := testing.AllocsPerRun(3, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	zero("push", func() {
		for range 10_000 { // several blocks
			stamp++
			pushNumbered(l, 75, stamp)
		}
		l.Flush()
		disk.run()
	})
	sum := uint64(0)
	visit := func(_ int, row []byte) { sum += stampOf(row) }
	visitInOrder := func(_ Position, row []byte) bool { sum += stampOf(row); return true }
	done := func(err error) {
		if err != nil {
			t.Error(err)
		}
	}
	zero("row", func() {
		if _, ok := l.Row(l.base); !ok {
			t.Error("the newest block is not in memory")
		}
	})
	zero("fetch", func() {
		l.Fetch(positions, visit, done)
		disk.run()
	})
	found := func(_ Position, err error) { done(err) }
	zero("seek", func() {
		l.Seek(54321, found)
		disk.run()
	})
	zero("scan", func() {
		l.Scan(0, l.End(), true, visitInOrder, done)
		disk.run()
	})
	zero("scan that ends early", func() {
		l.Scan(0, l.End(), false, func(_ Position, row []byte) bool { return stampOf(row) < 60_000 }, done)
		disk.run()
	})
}
