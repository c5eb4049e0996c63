//go:build !purego

package checksum

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// hasAES says whether this machine can run aegisAES.
var hasAES = cpu.X86.HasAES && cpu.X86.HasAVX

func of(data []byte) Sum {
	if hasAES {
		return ofAES(data)
	}
	return ofPortable(data)
}

func ofAES(data []byte) (sum Sum) {
	var tail *[chunkSize]byte
	var padded [chunkSize]byte
	if len(data)%chunkSize != 0 {
		padded = tailOf(data)
		tail = &padded
	}
	aegisAES(&sum, unsafe.SliceData(data), len(data)/chunkSize, tail, 8*uint64(len(data)))
	return sum
}

// aegisAES absorbs chunks*32 bytes from data, then *tail unless it is nil,
// finishes with dataBits and stores the tag in *sum.
//
//go:noescape
func aegisAES(sum *Sum, data *byte, chunks int, tail *[chunkSize]byte, dataBits uint64)
