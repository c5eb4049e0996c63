// Package multibatch reads and writes the bodies that carry several batches of
// one operation in one request or reply (PROTOCOL.md section 13).
//
//	body    = elements of batch 0 | elements of batch 1 | ... | trailer
//	trailer = 0xFF padding | u16 count of batch b-1 | ... | u16 count of batch 0 | u16 b
//
// Counts are numbers of elements and may be 0; there are 1 .. BatchesMax
// batches. The trailer is as short as a whole number of elements allows. The
// package knows sizes only, nothing of what the elements are.
package multibatch

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// BatchesMax is the largest number of batches in a body.
const BatchesMax = 65534

// ErrInvalid is wrapped by all errors of Decode.
var ErrInvalid = errors.New("multibatch: invalid body")

var (
	errLength  = fmt.Errorf("%w: length is odd or below 2", ErrInvalid)
	errBatches = fmt.Errorf("%w: number of batches is not in 1 .. 65534", ErrInvalid)
	errTrailer = fmt.Errorf("%w: trailer is longer than the body", ErrInvalid)
	errPadding = fmt.Errorf("%w: padding is not 0xff", ErrInvalid)
	errCounts  = fmt.Errorf("%w: counts do not add up to the elements", ErrInvalid)
)

const (
	countSize   = 2
	paddingByte = 0xff
)

// TrailerSize returns the size in bytes of the trailer for so many batches of
// elements of elementSize bytes, which is a multiple of 2.
func TrailerSize(elementSize, batches int) int {
	if elementSize < countSize || elementSize%countSize != 0 {
		panic(fmt.Sprintf("multibatch: elements of %d bytes", elementSize))
	}
	counts := countSize * (batches + 1)
	return (counts + elementSize - 1) / elementSize * elementSize
}

// Decode appends the count of each batch to counts, batch 0 first, and returns
// the elements of all batches as payload, which aliases body. It allocates
// nothing if counts has the capacity. The error wraps ErrInvalid; counts is then
// returned as it was.
func Decode(body []byte, elementSize int, counts []uint16) (_ []uint16, payload []byte, err error) {
	if len(body) < countSize || len(body)%countSize != 0 {
		return counts, nil, errLength
	}
	end := len(body) - countSize
	batches := int(binary.LittleEndian.Uint16(body[end:]))
	if batches == 0 || batches > BatchesMax {
		return counts, nil, errBatches
	}
	trailerSize := TrailerSize(elementSize, batches)
	if trailerSize > len(body) {
		return counts, nil, errTrailer
	}
	payload = body[:len(body)-trailerSize]
	for _, b := range body[len(payload) : end-countSize*batches] {
		if b != paddingByte {
			return counts, nil, errPadding
		}
	}

	decoded, elements := counts, 0
	for i := 1; i <= batches; i++ {
		count := binary.LittleEndian.Uint16(body[end-countSize*i:])
		decoded = append(decoded, count)
		elements += int(count)
	}
	if elements*elementSize != len(payload) {
		return counts, nil, errCounts
	}
	return decoded, payload, nil
}

// AppendTrailer appends to body, which ends with the elements of all batches,
// the trailer for counts, batch 0 first. It allocates nothing if body has the
// capacity. It panics unless there are 1 .. BatchesMax counts.
func AppendTrailer(body []byte, elementSize int, counts []uint16) []byte {
	batches := len(counts)
	if batches == 0 || batches > BatchesMax {
		panic(fmt.Sprintf("multibatch: %d batches", batches))
	}
	for range TrailerSize(elementSize, batches) - countSize*(batches+1) {
		body = append(body, paddingByte)
	}
	for i := batches - 1; i >= 0; i-- {
		body = binary.LittleEndian.AppendUint16(body, counts[i])
	}
	return binary.LittleEndian.AppendUint16(body, uint16(batches))
}
