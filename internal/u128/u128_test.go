package u128

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

var mod128 = new(big.Int).Lsh(big.NewInt(1), 128)

func draw(t *rapid.T, label string) Uint128 {
	// Corners are drawn often: that is where carries go wrong.
	edge := rapid.SampledFrom([]uint64{0, 1, 1 << 63, ^uint64(0) - 1, ^uint64(0)})
	word := rapid.OneOf(edge, rapid.Uint64())
	return Uint128{Lo: word.Draw(t, label+".lo"), Hi: word.Draw(t, label+".hi")}
}

// The naive twin is math/big.
func TestArithmeticAgainstBig(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := draw(t, "a"), draw(t, "b")
		sum, overflow := a.Add(b)
		want := new(big.Int).Add(a.big(), b.big())
		if overflow != (want.Cmp(mod128) >= 0) || sum.big().Cmp(new(big.Int).Mod(want, mod128)) != 0 {
			t.Fatalf("%v + %v = %v overflow %v", a, b, sum, overflow)
		}
		diff, underflow := a.Sub(b)
		want = new(big.Int).Sub(a.big(), b.big())
		if underflow != (want.Sign() < 0) || diff.big().Cmp(new(big.Int).Mod(want, mod128)) != 0 {
			t.Fatalf("%v - %v = %v underflow %v", a, b, diff, underflow)
		}
		if a.Compare(b) != a.big().Cmp(b.big()) || a.Less(b) != (a.Compare(b) < 0) {
			t.Fatalf("compare %v %v", a, b)
		}
	})
}

func TestTextAndBytesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := draw(t, "a")
		if got, err := Parse(a.String()); err != nil || got != a {
			t.Fatalf("Parse(%q) = %v, %v", a.String(), got, err)
		}
		if got, err := Parse("0x" + a.big().Text(16)); err != nil || got != a {
			t.Fatalf("hex of %v = %v, %v", a, got, err)
		}
		var b [Size]byte
		a.PutBytes(b[:])
		if got := FromBytes(b[:]); got != a {
			t.Fatalf("bytes of %v = %v", a, got)
		}
	})
}

func TestParseRefuses(t *testing.T) {
	for _, s := range []string{"", "-1", "+1", "x", "0x", "1.5", " 1", "340282366920938463463374607431768211456"} {
		if v, err := Parse(s); err == nil {
			t.Errorf("Parse(%q) = %v", s, v)
		}
	}
}
