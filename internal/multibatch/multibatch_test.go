package multibatch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"
)

var elementSizes = []int{2, 8, 16, 64, 128, 384}

// naive builds a body from back to front, one item at a time, and only then
// turns it round: the twin of AppendTrailer.
func naive(payload []byte, elementSize int, counts []uint16) []byte {
	var reversed []byte
	push := func(v uint16) { reversed = append(reversed, byte(v>>8), byte(v)) }
	push(uint16(len(counts)))
	for _, count := range counts {
		push(count)
	}
	for len(reversed)%elementSize != 0 {
		reversed = append(reversed, 0xff)
	}
	slices.Reverse(reversed)
	return slices.Concat(payload, reversed)
}

// naiveDecode tries every number of batches there could be, and takes the one
// for which building the body again gives the same bytes.
func naiveDecode(body []byte, elementSize int) (counts []uint16, payload []byte, ok bool) {
	for batches := 1; 2*batches+2 <= len(body) && batches <= 65534; batches++ {
		counts = counts[:0]
		elements := 0
		for i := range batches {
			count := binary.LittleEndian.Uint16(body[len(body)-2*(i+2):])
			counts = append(counts, count)
			elements += int(count)
		}
		if elements*elementSize > len(body) {
			continue
		}
		payload = body[:elements*elementSize]
		if bytes.Equal(naive(payload, elementSize, counts), body) {
			return counts, payload, true
		}
	}
	return nil, nil, false
}

// examples of PROTOCOL.md section 13.
func TestTrailerSize(t *testing.T) {
	for _, c := range []struct{ elementSize, batches, want int }{
		{128, 1, 128}, {128, 63, 128}, {128, 64, 256},
		{16, 1, 16}, {16, 7, 16}, {16, 8, 32},
		{64, 31, 64}, {64, 32, 128},
		{8, 3, 8}, {8, 4, 16},
	} {
		if got := TrailerSize(c.elementSize, c.batches); got != c.want {
			t.Errorf("TrailerSize(%d, %d) = %d, want %d", c.elementSize, c.batches, got, c.want)
		}
	}
}

// example of PROTOCOL.md section 18: five batches of results.
func TestWorkedExample(t *testing.T) {
	counts := []uint16{1, 3, 0, 1, 2}
	want := []byte{0xff, 0xff, 0xff, 0xff, 2, 0, 1, 0, 0, 0, 3, 0, 1, 0, 5, 0}
	if got := AppendTrailer(nil, 16, counts); !bytes.Equal(got, want) {
		t.Fatalf("trailer = % x, want % x", got, want)
	}
	body := AppendTrailer(make([]byte, 7*16), 16, counts)
	got, payload, err := Decode(body, 16, nil)
	if err != nil || !slices.Equal(got, counts) || len(payload) != 7*16 {
		t.Fatalf("Decode = %v, %d bytes, %v", got, len(payload), err)
	}
}

func TestRoundTripEqualsNaive(t *testing.T) {
	for _, elementSize := range elementSizes {
		for _, batches := range []int{1, 2, 3, 7, 8, 63, 64, 65, 1000, BatchesMax} {
			counts := make([]uint16, batches)
			elements := 0
			for i := range counts {
				if i < 100 {
					counts[i] = uint16(i * 7 % 5)
				}
				elements += int(counts[i])
			}
			payload := bytes.Repeat([]byte{0xab}, elements*elementSize)
			body := AppendTrailer(slices.Clone(payload), elementSize, counts)
			if !bytes.Equal(body, naive(payload, elementSize, counts)) {
				t.Fatalf("%d batches of %d bytes: differs from the naive body", batches, elementSize)
			}
			decoded, rest, err := Decode(body, elementSize, nil)
			if err != nil || !slices.Equal(decoded, counts) || !bytes.Equal(rest, payload) {
				t.Fatalf("%d batches of %d bytes: Decode: %v", batches, elementSize, err)
			}
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	good := AppendTrailer(make([]byte, 4*16), 16, []uint16{3, 1})
	change := func(offset int, b byte) []byte {
		c := slices.Clone(good)
		c[len(c)-offset] = b
		return c
	}
	for _, c := range []struct {
		name string
		body []byte
		want error
	}{
		{"empty", nil, errLength},
		{"one byte", []byte{1}, errLength},
		{"odd", good[1:], errLength},
		{"no batches", change(2, 0), errBatches},
		{"65535 batches", bytes.Repeat([]byte{0xff}, 16), errBatches},
		{"trailer longer than body", change(1, 1), errTrailer},
		{"bare count", []byte{1, 0}, errTrailer},
		{"padding", change(7, 0xfe), errPadding},
		{"first padding byte", change(16, 0), errPadding},
		{"fewer batches than counts", change(2, 1), errPadding},
		{"more elements than counted", change(4, 2), errCounts},
		{"fewer elements than counted", change(6, 2), errCounts},
		{"element missing", good[16:], errCounts},
		{"part of an element missing", good[2:], errCounts},
	} {
		before := []uint16{42}
		counts, payload, err := Decode(c.body, 16, before)
		if err != c.want || !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.want)
		}
		if payload != nil || !slices.Equal(counts, []uint16{42}) {
			t.Errorf("%s: counts %v and payload %v although refused", c.name, counts, payload)
		}
	}
}

func TestAppendTrailerPanicsWithoutBatches(t *testing.T) {
	for _, batches := range []int{0, BatchesMax + 1} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%d batches: no panic", batches)
				}
			}()
			AppendTrailer(nil, 16, make([]uint16, batches))
		}()
	}
}

func TestAllocatesNothing(t *testing.T) {
	counts := make([]uint16, 0, 64)
	body := make([]byte, 0, 4096)
	want := []uint16{1, 0, 5}
	if n := testing.AllocsPerRun(100, func() {
		body = AppendTrailer(body[:6*16], 16, want)
		counts, _, _ = Decode(body, 16, counts[:0])
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
	if !slices.Equal(counts, want) {
		t.Fatalf("counts %v", counts)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(AppendTrailer(make([]byte, 64), 16, []uint16{3, 1}), uint8(2))
	f.Add(AppendTrailer(nil, 128, []uint16{0}), uint8(4))
	f.Add([]byte{0xff, 0xff}, uint8(0))
	f.Fuzz(func(t *testing.T, body []byte, size uint8) {
		elementSize := elementSizes[int(size)%len(elementSizes)]
		counts, payload, err := Decode(body, elementSize, nil)
		wantCounts, wantPayload, ok := naiveDecode(body, elementSize)
		if (err == nil) != ok {
			t.Fatalf("Decode: %v, naive accepts: %v", err, ok)
		}
		if ok && (!slices.Equal(counts, wantCounts) || !bytes.Equal(payload, wantPayload)) {
			t.Fatalf("Decode = %v, %d bytes, naive %v, %d bytes", counts, len(payload), wantCounts, len(wantPayload))
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	body := AppendTrailer(make([]byte, 8000*128), 128, slices.Repeat([]uint16{250}, 32))
	counts := make([]uint16, 0, 32)
	for b.Loop() {
		if _, _, err := Decode(body, 128, counts); err != nil {
			b.Fatal(err)
		}
	}
}
