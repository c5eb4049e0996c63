package wire

import (
	"encoding/binary"
	"errors"
	"testing"
)

// sealedExample is a request with a body of 128 bytes.
func sealedExample() []byte {
	h := requestExample()
	msg := make([]byte, h.Size)
	h.Encode(msg)
	for i := range msg[HeaderSize:] {
		msg[HeaderSize+i] = byte(i)
	}
	Seal(msg)
	return msg
}

func TestVerifyAcceptsWhatSealMade(t *testing.T) {
	msg := sealedExample()
	frame, err := VerifyHeader(msg[:HeaderSize])
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifyBody(msg); err != nil {
		t.Fatal(err)
	}
	want := requestExample()
	if err := want.Decode(msg); err != nil {
		t.Fatal(err)
	}
	if frame != want.Frame || frame.Size != HeaderSize+128 {
		t.Errorf("frame %+v, want %+v", frame, want.Frame)
	}
}

// TestVerifyFindsEveryFlippedBit damages a message one bit at a time.
func TestVerifyFindsEveryFlippedBit(t *testing.T) {
	msg := sealedExample()
	for bit := range 8 * len(msg) {
		msg[bit/8] ^= 1 << (bit % 8)
		_, err := VerifyHeader(msg)
		if bit/8 >= HeaderSize {
			if err != nil {
				t.Fatalf("bit %d of the body: VerifyHeader: %v", bit, err)
			}
			err = VerifyBody(msg)
		}
		if !errors.Is(err, ErrChecksum) {
			t.Fatalf("bit %d: %v", bit, err)
		}
		msg[bit/8] ^= 1 << (bit % 8)
	}
}

func TestVerifyHeaderRefuses(t *testing.T) {
	for _, c := range []struct {
		name    string
		command Command
		size    uint32
		want    error
	}{
		{"reserved command", 0, HeaderSize, ErrCommand},
		{"deprecated command", 12, HeaderSize, ErrCommand},
		{"unknown command", 25, HeaderSize, ErrCommand},
		{"unknown command and size", 25, 0, ErrCommand},
		{"size 0", CommandRequest, 0, ErrSize},
		{"size below the header's", CommandRequest, HeaderSize - 1, ErrSize},
		{"size of the header", CommandRequest, HeaderSize, nil},
		{"largest request", CommandRequest, MessageSizeMax, nil},
		{"request too large", CommandRequest, MessageSizeMax + 1, ErrSize},
		{"largest prepare", CommandPrepare, PrepareSizeMax, nil},
		{"prepare too large", CommandPrepare, PrepareSizeMax + 1, ErrSize},
		{"another replica's command", CommandBlock, MessageSizeMax, nil},
	} {
		msg := make([]byte, HeaderSize)
		msg[offsetCommand] = byte(c.command)
		binary.LittleEndian.PutUint32(msg[offsetSize:], c.size)
		SealHeader(msg)
		frame, err := VerifyHeader(msg)
		if !errors.Is(err, c.want) || frame.Command != c.command || frame.Size != c.size {
			t.Errorf("%s: %v, %v", c.name, frame, err)
		}
	}
}

func TestVerifyBodyRefusesOtherSizes(t *testing.T) {
	msg := sealedExample()
	for _, b := range [][]byte{msg[:HeaderSize], msg[:len(msg)-1], append(msg, 0)} {
		if err := VerifyBody(b); !errors.Is(err, ErrSize) {
			t.Errorf("%d of %d bytes: %v", len(b), len(msg), err)
		}
		if !panics(func() { Seal(b) }) {
			t.Errorf("Seal takes %d of %d bytes", len(b), len(msg))
		}
	}
}

func TestStreamAllocatesNothing(t *testing.T) {
	msg := sealedExample()
	reply := replyExample()
	replyMessage := make([]byte, reply.Size)
	if n := testing.AllocsPerRun(100, func() {
		reply.Encode(replyMessage)
		SealReply(replyMessage)
		Seal(msg)
		if _, err := VerifyHeader(msg); err != nil {
			t.Fatal(err)
		}
		if err := VerifyBody(msg); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
