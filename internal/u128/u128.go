// Package u128 holds 128-bit unsigned integers as comparable values.
//
// A Uint128 can be a map key and can be compared with ==. All operations are
// small enough to be inlined and allocate nothing (String and Parse aside).
package u128

import (
	"encoding/binary"
	"fmt"
	"math/big"
	"math/bits"
)

// Size is the encoded size in bytes.
const Size = 16

// Uint128 is an unsigned integer in 0 .. 2^128-1.
type Uint128 struct {
	Lo, Hi uint64
}

// Max is 2^128-1.
var Max = Uint128{Lo: ^uint64(0), Hi: ^uint64(0)}

// From64 returns v as a Uint128.
func From64(v uint64) Uint128 { return Uint128{Lo: v} }

// FromBytes decodes 16 little-endian bytes. It panics if b is shorter.
func FromBytes(b []byte) Uint128 {
	_ = b[15]
	return Uint128{Lo: binary.LittleEndian.Uint64(b), Hi: binary.LittleEndian.Uint64(b[8:])}
}

// PutBytes encodes u into the first 16 bytes of b, little-endian.
func (u Uint128) PutBytes(b []byte) {
	_ = b[15]
	binary.LittleEndian.PutUint64(b, u.Lo)
	binary.LittleEndian.PutUint64(b[8:], u.Hi)
}

// IsZero reports whether u is 0.
func (u Uint128) IsZero() bool { return u.Lo|u.Hi == 0 }

// IsMax reports whether u is 2^128-1.
func (u Uint128) IsMax() bool { return u.Lo&u.Hi == ^uint64(0) }

// Add returns u+v modulo 2^128, and whether the sum overflowed.
func (u Uint128) Add(v Uint128) (sum Uint128, overflow bool) {
	lo, carry := bits.Add64(u.Lo, v.Lo, 0)
	hi, carry := bits.Add64(u.Hi, v.Hi, carry)
	return Uint128{lo, hi}, carry != 0
}

// Sub returns u-v modulo 2^128, and whether v was greater than u.
func (u Uint128) Sub(v Uint128) (difference Uint128, underflow bool) {
	lo, borrow := bits.Sub64(u.Lo, v.Lo, 0)
	hi, borrow := bits.Sub64(u.Hi, v.Hi, borrow)
	return Uint128{lo, hi}, borrow != 0
}

// Less reports whether u < v.
func (u Uint128) Less(v Uint128) bool {
	_, borrow := bits.Sub64(u.Lo, v.Lo, 0)
	_, borrow = bits.Sub64(u.Hi, v.Hi, borrow)
	return borrow != 0
}

// Compare returns -1, 0 or +1 as u is less than, equal to or greater than v.
func (u Uint128) Compare(v Uint128) int {
	switch {
	case u == v:
		return 0
	case u.Less(v):
		return -1
	}
	return 1
}

// String returns u in decimal.
func (u Uint128) String() string {
	if u.Hi == 0 {
		return fmt.Sprintf("%d", u.Lo)
	}
	return u.big().String()
}

func (u Uint128) big() *big.Int {
	n := new(big.Int).SetUint64(u.Hi)
	n.Lsh(n, 64)
	return n.Or(n, new(big.Int).SetUint64(u.Lo))
}

// Parse reads a decimal number, or a hexadecimal one after "0x", in
// 0 .. 2^128-1. The error says what was wrong with s.
func Parse(s string) (Uint128, error) {
	digits, base := s, 10
	if len(s) > 2 && (s[:2] == "0x" || s[:2] == "0X") {
		digits, base = s[2:], 16
	}
	if digits == "" || digits[0] == '+' || digits[0] == '-' {
		return Uint128{}, fmt.Errorf("%q is not a number in 0 .. 2^128-1", s)
	}
	n, ok := new(big.Int).SetString(digits, base)
	if !ok || n.BitLen() > 128 {
		return Uint128{}, fmt.Errorf("%q is not a number in 0 .. 2^128-1", s)
	}
	lo := new(big.Int).And(n, new(big.Int).SetUint64(^uint64(0))).Uint64()
	return Uint128{Lo: lo, Hi: n.Rsh(n, 64).Uint64()}, nil
}

// MarshalText returns u in decimal, so that JSON shows it as a string: most
// JSON readers round numbers above 2^53.
func (u Uint128) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalText reads what Parse reads.
func (u *Uint128) UnmarshalText(text []byte) error {
	v, err := Parse(string(text))
	if err != nil {
		return err
	}
	*u = v
	return nil
}
