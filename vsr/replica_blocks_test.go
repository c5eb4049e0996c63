package vsr

import (
	"bytes"
	"encoding/hex"
	"slices"
	"testing"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/checksum"
)

// Whatever else is asked for meanwhile, a block is asked of each of the others
// before long, and of the primary not first. The last one here is a standby.
func TestBlocksAreAskedOfEverybody(t *testing.T) {
	for count := uint8(2); count <= 6; count++ {
		for index := range count + 1 {
			r := New(Options{})
			r.root.ReplicaCount, r.root.Replica, r.view = count, index, View(count)
			for a := block.Address(1); a <= 20; a++ {
				var asked [6]bool
				for tries := range 2 * int(count) {
					helper := r.helper(a, tries)
					if helper == index || helper >= count || tries == 0 && r.primaryOf(r.view) == helper && count > 2 {
						t.Fatalf("%d replicas: replica %d asks replica %d", count, index, helper)
					}
					asked[helper] = true
				}
				for i := range count {
					if i != index && !asked[i] {
						t.Fatalf("%d replicas: replica %d never asks replica %d for %v", count, index, i, a)
					}
				}
			}
		}
	}
}

// goldenRefs is the body of a refs message as all releases write it.
const goldenRefs = "0100000000000000" + "21000000000000000000000000000030" +
	"efcdab8967452301" + "f10000000000000000000000000000ff"

func TestRefsGolden(t *testing.T) {
	refs := []block.Ref{
		{Address: 1, Checksum: checksum.Sum{0: 0x21, 15: 0x30}},
		{Address: 0x0123456789abcdef, Checksum: checksum.Sum{0: 0xf1, 15: 0xff}},
	}
	want, err := hex.DecodeString(goldenRefs)
	if err != nil {
		t.Fatal(err)
	}
	if got := encodeRefs(refs); !bytes.Equal(got, want) {
		t.Errorf("encoded as\n%x, not\n%x", got, want)
	}
	if got := decodeRefs(want); !slices.Equal(got, refs) {
		t.Errorf("decoded as %v", got)
	}
}

// FuzzRefs decodes what another replica may send: a rest that is too short for a
// reference is ignored, all before it is kept.
func FuzzRefs(f *testing.F) {
	f.Add([]byte{})
	golden, _ := hex.DecodeString(goldenRefs)
	f.Add(golden)
	f.Add(golden[:len(golden)-1])
	f.Fuzz(func(t *testing.T, b []byte) {
		whole := b[:len(b)/block.RefSize*block.RefSize]
		if again := encodeRefs(decodeRefs(b)); !bytes.Equal(again, whole) {
			t.Errorf("% x, decoded and encoded again, is % x", whole, again)
		}
	})
}
