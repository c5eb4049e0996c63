package faultdisk

import "slices"

// chunkSize is the unit of memory of an image, in bytes.
const chunkSize = 64 << 10

// image is a sparse array of bytes. What was never written is zero.
type image struct {
	chunks [][]byte // nil, or chunkSize bytes
}

func (m *image) read(offset int64, buf []byte) {
	for len(buf) > 0 {
		index, start := int(offset/chunkSize), int(offset%chunkSize)
		n := min(len(buf), chunkSize-start)
		if index < len(m.chunks) && m.chunks[index] != nil {
			copy(buf[:n], m.chunks[index][start:])
		} else {
			clear(buf[:n])
		}
		offset, buf = offset+int64(n), buf[n:]
	}
}

func (m *image) write(offset int64, data []byte) {
	for len(data) > 0 {
		index, start := int(offset/chunkSize), int(offset%chunkSize)
		for index >= len(m.chunks) {
			m.chunks = append(m.chunks, nil)
		}
		if m.chunks[index] == nil {
			m.chunks[index] = make([]byte, chunkSize)
		}
		n := copy(m.chunks[index][start:], data)
		offset, data = offset+int64(n), data[n:]
	}
}

func (m *image) clone() image {
	clone := image{chunks: make([][]byte, len(m.chunks))}
	for i, chunk := range m.chunks {
		clone.chunks[i] = slices.Clone(chunk)
	}
	return clone
}
