package grid

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/ledgerd/ledgerd/internal/block"
)

// naiveFreeSet is the twin of freeSet: a map and no cleverness.
type naiveFreeSet map[block.Address]string // "held", "releasing", "staged"; absent is free

func (n naiveFreeSet) acquire() block.Address {
	for a := block.Address(1); ; a++ {
		if _, used := n[a]; !used {
			n[a] = "held"
			return a
		}
	}
}

func (n naiveFreeSet) move(from, to string) {
	for a, state := range n {
		switch {
		case state == from && to == "":
			delete(n, a)
		case state == from:
			n[a] = to
		}
	}
}

func TestFreeSetAgainstNaiveTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var set freeSet
		twin := naiveFreeSet{}
		var held []block.Address
		for range rapid.IntRange(1, 400).Draw(t, "steps") {
			switch op := rapid.SampledFrom([]string{"acquire", "acquire", "release", "stage"}).Draw(t, "op"); {
			case op == "acquire":
				got, want := set.acquire(), twin.acquire()
				if got != want {
					t.Fatalf("acquired %v, want %v", got, want)
				}
				held = append(held, got)
			case op == "release" && len(held) > 0:
				i := rapid.IntRange(0, len(held)-1).Draw(t, "which")
				set.release(held[i])
				twin[held[i]] = "releasing"
				held[i] = held[len(held)-1]
				held = held[:len(held)-1]
			case op == "stage":
				set.stage()
				twin.move("staged", "")
				twin.move("releasing", "staged")
			}
			if set.acquired.count() != len(twin) {
				t.Fatalf("%d in use, want %d", set.acquired.count(), len(twin))
			}
			for a := range block.Address(len(twin) + 70) {
				state, used := twin[a]
				if set.acquired.has(a) != used || set.held(a) != (state == "held") {
					t.Fatalf("%v: want %q", a, state)
				}
				if !used && (set.unfinished.has(a) || set.unwritten.has(a)) {
					t.Fatalf("%v is free and not yet written", a)
				}
			}
		}
	})
}

func TestFreeSetMisusePanics(t *testing.T) {
	for name, misuse := range map[string]func(*freeSet){
		"release twice":           func(f *freeSet) { f.release(1); f.release(1) },
		"release of a free block": func(f *freeSet) { f.release(2) },
		"release of no block":     func(f *freeSet) { f.release(0) },
		"write twice":             func(f *freeSet) { f.markWritten(1); f.markWritten(1) },
		"write after release":     func(f *freeSet) { f.release(1); f.markWritten(1) },
		"read before write":       func(f *freeSet) { f.checkWritten(1) },
		"read of a free block":    func(f *freeSet) { f.checkWritten(64) },
	} {
		var f freeSet
		f.acquire()
		if !panics(func() { misuse(&f) }) {
			t.Errorf("%s: no panic", name)
		}
	}
}

func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return false
}
