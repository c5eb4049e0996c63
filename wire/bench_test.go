package wire

import "testing"

func BenchmarkDecode(b *testing.B) {
	for command, list := range examples() {
		b.Run(command.String(), func(b *testing.B) {
			bytes := make([]byte, HeaderSize)
			list[0].Encode(bytes)
			h := newHeader(b, command)
			b.ReportAllocs()
			for b.Loop() {
				if err := h.Decode(bytes); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	for command, list := range examples() {
		b.Run(command.String(), func(b *testing.B) {
			bytes := make([]byte, HeaderSize)
			b.ReportAllocs()
			for b.Loop() {
				list[0].Encode(bytes)
			}
		})
	}
}

// BenchmarkReceive is what a request of the largest size costs on receipt.
func BenchmarkReceive(b *testing.B) {
	h := requestExample()
	h.Size = MessageSizeMax
	msg := make([]byte, h.Size)
	h.Encode(msg)
	Seal(msg)
	b.SetBytes(MessageSizeMax)
	for b.Loop() {
		if _, err := VerifyHeader(msg); err != nil {
			b.Fatal(err)
		}
		if err := VerifyBody(msg); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRequests(b *testing.B) {
	entries := make([]Entry, 32)
	for i := range entries {
		entries[i] = entryExamples()[0]
		entries[i].Timestamp += uint64(i)
	}
	h, body := prepareOf(entries)
	b.ReportAllocs()
	for b.Loop() {
		count := 0
		for range h.Requests(body) {
			count++
		}
		if count != len(entries) {
			b.Fatal(count)
		}
	}
}
