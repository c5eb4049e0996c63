package checksum

import (
	"encoding/binary"
	"math/bits"
)

// lane is one 16-byte block of the state, as four little-endian words: the
// four columns of an AES state.
type lane [4]uint32

// state is S0 .. S7 of PROTOCOL.md section 3.
type state [8]lane

// initial is the state after initialisation. As key and nonce are constant,
// so is it. The assembly reads it, too: eight lanes of 16 bytes in order.
var initial = initialise()

func initialise() state {
	c0 := laneFrom([]byte{0x00, 0x01, 0x01, 0x02, 0x03, 0x05, 0x08, 0x0d, 0x15, 0x22, 0x37, 0x59, 0x90, 0xe9, 0x79, 0x62})
	c1 := laneFrom([]byte{0xdb, 0x3d, 0x18, 0x55, 0x6d, 0xc2, 0x2f, 0xf1, 0x20, 0x11, 0x31, 0x42, 0x73, 0xb5, 0x28, 0xdd})
	s := state{{}, c1, c0, c1, {}, c0, c1, c0}
	for range 10 {
		s.update(lane{}, lane{})
	}
	return s
}

func ofPortable(data []byte) Sum {
	s := initial
	rest := data
	for ; len(rest) >= chunkSize; rest = rest[chunkSize:] {
		s.update(laneFrom(rest), laneFrom(rest[16:]))
	}
	if len(rest) > 0 {
		tail := tailOf(rest)
		s.update(laneFrom(tail[:]), laneFrom(tail[16:]))
	}
	return s.finish(8 * uint64(len(data)))
}

// update absorbs 32 bytes: a, then b.
func (s *state) update(a, b lane) {
	last := s[7]
	for i := 7; i > 0; i-- {
		s[i] = aesRound(s[i-1], s[i])
	}
	s[0] = aesRound(last, xor(s[0], a))
	s[4] = xor(s[4], b) // the round's key is added last, so b may be added after it
}

// finish mixes in the length of what was absorbed and returns the tag.
func (s *state) finish(dataBits uint64) (sum Sum) {
	t := xor(s[2], lane{uint32(dataBits), uint32(dataBits >> 32)})
	for range 7 {
		s.update(t, t)
	}
	var tag lane
	for i := range 7 {
		tag = xor(tag, s[i])
	}
	for i, word := range tag {
		binary.LittleEndian.PutUint32(sum[4*i:], word)
	}
	return sum
}

func laneFrom(b []byte) lane {
	_ = b[15]
	return lane{
		binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:]),
		binary.LittleEndian.Uint32(b[8:]), binary.LittleEndian.Uint32(b[12:]),
	}
}

func xor(x, y lane) lane {
	return lane{x[0] ^ y[0], x[1] ^ y[1], x[2] ^ y[2], x[3] ^ y[3]}
}

// aesRound is one AES encryption round, as the instruction AESENC does it:
// SubBytes, ShiftRows, MixColumns, then the key.
func aesRound(x, key lane) (y lane) {
	for column := range 4 {
		y[column] = key[column] ^
			aesTable[byte(x[column])] ^
			bits.RotateLeft32(aesTable[byte(x[(column+1)%4]>>8)], 8) ^
			bits.RotateLeft32(aesTable[byte(x[(column+2)%4]>>16)], 16) ^
			bits.RotateLeft32(aesTable[byte(x[(column+3)%4]>>24)], 24)
	}
	return y
}

// aesTable maps a byte in row 0 to what it contributes to its column:
// SubBytes and MixColumns in one step. The other rows are rotations of it.
var aesTable = makeAESTable()

func makeAESTable() (table [256]uint32) {
	// p runs through all non-zero elements of GF(2^8) as powers of 3, and q
	// through their inverses as powers of 1/3 (FIPS 197, sections 4 and 5.1.1).
	p, q := byte(1), byte(1)
	for {
		table[p] = aesColumn(sBoxAffine(q))
		if p ^= double(p); p == 1 {
			break
		}
		q ^= q << 1
		q ^= q << 2
		q ^= q << 4
		if q&0x80 != 0 {
			q ^= 0x09
		}
	}
	table[0] = aesColumn(sBoxAffine(0)) // 0 has no inverse and stands for itself
	return table
}

func sBoxAffine(x byte) byte {
	return x ^ bits.RotateLeft8(x, 1) ^ bits.RotateLeft8(x, 2) ^ bits.RotateLeft8(x, 3) ^ bits.RotateLeft8(x, 4) ^ 0x63
}

// aesColumn is the product of s with MixColumns' first column: 2, 1, 1, 3.
func aesColumn(s byte) uint32 {
	s2 := double(s)
	return uint32(s2) | uint32(s)<<8 | uint32(s)<<16 | uint32(s2^s)<<24
}

// double multiplies by 2 in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1.
func double(x byte) byte {
	return x<<1 ^ (x>>7)*0x1b
}
