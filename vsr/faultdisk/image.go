package faultdisk

import "slices"

// chunkSize is the unit of memory of an image, in bytes.
const chunkSize = 16 << 10

// image is a sparse array of bytes. What was never written is zero.
type image struct {
	chunks []chunk
}

// chunk is a piece of an image: nil, or chunkSize bytes. One that is shared with
// another image is copied before it is written.
type chunk struct {
	data   []byte
	shared bool
}

func (m *image) read(offset int64, buf []byte) {
	for len(buf) > 0 {
		index, start := int(offset/chunkSize), int(offset%chunkSize)
		n := min(len(buf), chunkSize-start)
		if index < len(m.chunks) && m.chunks[index].data != nil {
			copy(buf[:n], m.chunks[index].data[start:])
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
			m.chunks = append(m.chunks, chunk{})
		}
		c := &m.chunks[index]
		switch {
		case c.data == nil:
			c.data = make([]byte, chunkSize)
		case c.shared:
			*c = chunk{data: slices.Clone(c.data)}
		}
		n := copy(c.data[start:], data)
		offset, data = offset+int64(n), data[n:]
	}
}

// clone returns a copy, which shares memory with m until either is written.
func (m *image) clone() image {
	for i := range m.chunks {
		m.chunks[i].shared = true
	}
	return image{chunks: slices.Clone(m.chunks)}
}
