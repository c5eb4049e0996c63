package blockio

import "testing"

func TestRoundUp(t *testing.T) {
	for size, want := range map[int]int{0: 0, 1: 4096, 4095: 4096, 4096: 4096, 4097: 8192, 1<<20 + 1: 1<<20 + 4096} {
		if got := RoundUp(size); got != want {
			t.Errorf("RoundUp(%d) = %d, want %d", size, got, want)
		}
	}
}

func TestKindString(t *testing.T) {
	for kind, want := range map[Kind]string{0: "invalid", Read: "read", Write: "write", Sync: "sync", 4: "invalid"} {
		if got := kind.String(); got != want {
			t.Errorf("Kind(%d) is %q, want %q", uint8(kind), got, want)
		}
	}
}
