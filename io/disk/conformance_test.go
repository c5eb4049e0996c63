package disk

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/buffer"
)

// A testStorage is any implementation of what the parts of a replica call
// Storage, together with the loop that its completions come back through.
type testStorage interface {
	Submit(*blockio.Request)
	// Run calls Done of completed requests until none is under way.
	Run()
}

// testConformance checks what package blockio promises. It uses nothing of this
// package: a simulated disk has to pass it in the same way. newStorage returns
// an empty storage each time.
func testConformance(t *testing.T, newStorage func(t *testing.T) testStorage) {
	tests := []struct {
		name string
		run  func(*testing.T, testStorage)
	}{
		{"unwritten reads as zero", testUnwritten},
		{"done once and outside of Submit", testDone},
		{"submit from Done", testSubmitFromDone},
		{"like an array of bytes", testNaiveTwin},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, newStorage(t)) })
	}
}

const sector = blockio.SectorSize

func filled(size int, with byte) []byte {
	b := buffer.Aligned(size)
	for i := range b {
		b[i] = with
	}
	return b
}

// do carries out one request to its end.
func do(s testStorage, kind blockio.Kind, offset int64, buf []byte, durable bool) error {
	r := &blockio.Request{Kind: kind, Offset: offset, Buf: buf, Durable: durable, Done: func(*blockio.Request) {}}
	s.Submit(r)
	s.Run()
	return r.Err
}

func testUnwritten(t *testing.T, s testStorage) {
	if err := do(s, blockio.Write, 5*sector, filled(sector, 1), false); err != nil {
		t.Fatal(err)
	}
	for _, offset := range []int64{0, 4 * sector, 6 * sector, 1 << 30} {
		buf := filled(sector, 0xEE)
		if err := do(s, blockio.Read, offset, buf, false); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(buf, make([]byte, sector)) {
			t.Errorf("offset %d does not read as zero", offset)
		}
	}
	straddling := filled(4*sector, 0xEE)
	if err := do(s, blockio.Read, 5*sector, straddling, false); err != nil {
		t.Fatal(err)
	}
	if want := append(filled(sector, 1), make([]byte, 3*sector)...); !bytes.Equal(straddling, want) {
		t.Error("a read that begins in what was written and ends in what was not is wrong")
	}
}

func testDone(t *testing.T, s testStorage) {
	const count = 300
	requests := make([]blockio.Request, count)
	calls := make([]int, count)
	submitting := true
	for i := range requests {
		r := &requests[i]
		r.Done = func(done *blockio.Request) {
			if submitting {
				t.Error("Done was called from within Submit")
			}
			if done != r {
				t.Error("Done was called with another request")
			}
			calls[i]++
		}
		switch r.Kind = blockio.Kind(i%3 + 1); r.Kind {
		case blockio.Read, blockio.Write:
			r.Offset, r.Buf = int64(i)*sector, filled(sector, 7)
			r.Durable = i%2 == 0
		}
		s.Submit(r)
	}
	submitting = false
	s.Run()
	for i, n := range calls {
		if n != 1 || requests[i].Err != nil {
			t.Fatalf("request %d: Done was called %d times, Err is %v", i, n, requests[i].Err)
		}
	}
}

// testSubmitFromDone reuses a request from within its own Done, with an Err
// left over that the next round has to clear.
func testSubmitFromDone(t *testing.T, s testStorage) {
	r := &blockio.Request{Kind: blockio.Write, Buf: filled(sector, 0)}
	rounds := 0
	r.Done = func(r *blockio.Request) {
		if r.Err != nil {
			t.Errorf("round %d: %v", rounds, r.Err)
		}
		if rounds++; rounds < 20 {
			r.Offset += sector
			r.Err = bytes.ErrTooLarge
			s.Submit(r)
		}
	}
	s.Submit(r)
	s.Run()
	if rounds != 20 {
		t.Errorf("%d rounds", rounds)
	}
}

// testNaiveTwin writes and reads at random, several requests at a time, and
// compares with a slice of bytes.
func testNaiveTwin(t *testing.T, s testStorage) {
	const sectors = 64
	random := rand.New(rand.NewPCG(1, 2))
	twin := make([]byte, sectors*sector)
	for round := range 40 {
		// Pieces that do not overlap, each for one request.
		for start := 0; start < sectors; {
			length := min(1+random.IntN(9), sectors-start)
			offset, size := start*sector, length*sector
			start += length
			r := &blockio.Request{Offset: int64(offset), Buf: buffer.Aligned(size)}
			if random.IntN(2) == 0 {
				r.Kind, r.Durable = blockio.Write, random.IntN(2) == 0
				for i := range r.Buf {
					r.Buf[i] = byte(random.Uint32())
				}
				sent := bytes.Clone(r.Buf)
				copy(twin[offset:], sent)
				r.Done = func(r *blockio.Request) {
					if r.Err != nil || !bytes.Equal(r.Buf, sent) {
						t.Errorf("round %d: write at %d: error %v, or the buffer was changed", round, offset, r.Err)
					}
				}
			} else {
				r.Kind = blockio.Read
				r.Done = func(r *blockio.Request) {
					if r.Err != nil || !bytes.Equal(r.Buf, twin[offset:offset+size]) {
						t.Errorf("round %d: read at %d: error %v, or other bytes", round, offset, r.Err)
					}
				}
			}
			s.Submit(r)
		}
		s.Run()
	}
}
