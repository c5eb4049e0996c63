package checksum

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"testing"
)

// reference values of PROTOCOL.md section 3.
func TestReferenceValues(t *testing.T) {
	for _, c := range []struct {
		data []byte
		want string
	}{
		{nil, "83cc600dc4e3e7e62d4055826174f149"},
		{make([]byte, 16), "f72ad48dd05dd1656133101cd4be3a26"},
	} {
		if got := Of(c.data).String(); got != c.want {
			t.Errorf("Of(%d zero bytes) = %s, want %s", len(c.data), got, c.want)
		}
		if got := ofPortable(c.data).String(); got != c.want {
			t.Errorf("ofPortable(%d zero bytes) = %s, want %s", len(c.data), got, c.want)
		}
	}
}

// TestAESRound checks the portable round against the example of FIPS 197,
// appendix B: the state at the start of round 2 before and after its key.
func TestAESRound(t *testing.T) {
	start := mustDecode(t, "193de3bea0f4e22b9ac68d2ae9f84808")
	key := mustDecode(t, "a0fafe1788542cb123a339392a6c7605")
	want := laneFrom(mustDecode(t, "a49c7ff2689f352b6b5bea43026a5049"))
	if got := aesRound(laneFrom(start), laneFrom(key)); got != want {
		t.Fatalf("aesRound = %08x, want %08x", got, want)
	}
}

func mustDecode(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// pattern returns deterministic bytes that repeat with no short period.
func pattern(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i*167 + i>>8*13 + 11)
	}
	return b
}

func TestFastEqualsPortable(t *testing.T) {
	data := pattern(3000)
	for size := range 300 {
		for offset := range 4 {
			piece := data[offset : offset+size]
			if fast, portable := Of(piece), ofPortable(piece); fast != portable {
				t.Fatalf("%d bytes at %d: fast %v, portable %v", size, offset, fast, portable)
			}
		}
	}
	if Of(data) != ofPortable(data) {
		t.Fatal("3000 bytes: fast and portable differ")
	}
}

// TestEveryBitCounts flips each bit of an input in turn.
func TestEveryBitCounts(t *testing.T) {
	data := pattern(75)
	seen := map[Sum]int{Of(data): -1}
	for bit := range 8 * len(data) {
		data[bit/8] ^= 1 << (bit % 8)
		sum := Of(data)
		if other, ok := seen[sum]; ok {
			t.Fatalf("flipping bit %d gives the same sum as bit %d", bit, other)
		}
		seen[sum] = bit
		data[bit/8] ^= 1 << (bit % 8)
	}
}

// TestLengthCounts appends zero bytes, which padding alone would hide.
func TestLengthCounts(t *testing.T) {
	seen := map[Sum]bool{}
	for size := range 100 {
		seen[Of(make([]byte, size))] = true
	}
	if len(seen) != 100 {
		t.Fatalf("100 lengths of zero bytes have %d different sums", len(seen))
	}
}

func TestOfDoesNotReadPastItsInput(t *testing.T) {
	data := bytes.Repeat([]byte{0xff}, 128)
	for size := range 64 {
		want := Of(bytes.Clone(data[:size]))
		if got := Of(data[:size]); got != want {
			t.Fatalf("%d bytes: the sum depends on what follows", size)
		}
	}
}

func TestOfAllocatesNothing(t *testing.T) {
	data := pattern(255)
	var sum Sum
	if n := testing.AllocsPerRun(100, func() { sum = Of(data) }); n != 0 {
		t.Fatalf("Of allocates %v times", n)
	}
	if sum.IsZero() {
		t.Fatal("zero sum")
	}
}

func FuzzFastEqualsPortable(f *testing.F) {
	for _, size := range []int{0, 1, 16, 31, 32, 33, 240, 256} {
		f.Add(pattern(size))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if fast, portable := Of(data), ofPortable(data); fast != portable {
			t.Fatalf("fast %v, portable %v", fast, portable)
		}
	})
}

func benchmarkSum(b *testing.B, size int, sum func([]byte) Sum) {
	data := pattern(size)
	b.SetBytes(int64(size))
	for b.Loop() {
		sum(data)
	}
}

func BenchmarkSum1MiB(b *testing.B)      { benchmarkSum(b, 1<<20, Of) }
func BenchmarkPortable1MiB(b *testing.B) { benchmarkSum(b, 1<<20, ofPortable) }

func BenchmarkSum(b *testing.B) {
	for _, size := range []int{0, 128, 240, 4096} {
		b.Run(fmt.Sprint(size), func(b *testing.B) { benchmarkSum(b, size, Of) })
	}
}
