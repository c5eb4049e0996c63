package bus

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/wire"
)

const testBudget = 2 * wire.MessageSizeMax

func receiverOf(source io.Reader) *receiver {
	return &receiver{source: source, cluster: testCluster, admit: (&connection{bus: &Bus{}}).admit, pool: new(buffer.Pool), budget: newBudget(testBudget),
		clock: new(atomic.Int64), receiving: new(stopwatch), buf: make([]byte, receiveSize)}
}

// receiveAll returns copies of all messages until the stream ends, and checks
// what must hold between messages.
func receiveAll(t *testing.T, r *receiver) ([][]byte, error) {
	t.Helper()
	var all [][]byte
	for {
		msg, frame, err := r.next()
		if r.receiving.since.Load() != 0 {
			t.Error("the stopwatch runs on between messages")
		}
		if err != nil {
			if r.budget.free != testBudget {
				t.Errorf("%d bytes of the budget are lost", testBudget-r.budget.free)
			}
			return all, err
		}
		if int(frame.Size) != len(msg.Bytes) || wire.VerifyBody(msg.Bytes) != nil || frame.Cluster != testCluster {
			t.Fatal("a message that does not verify")
		}
		all = append(all, bytes.Clone(msg.Bytes))
		msg.Release()
		r.done()
	}
}

// TestReceiverCutsAnyWay sends the same messages in all kinds of pieces.
func TestReceiverCutsAnyWay(t *testing.T) {
	var want [][]byte
	for i, size := range []int{256, 512, 272, receiveSize - 16, receiveSize, receiveSize + 16, 256, 1 << 20, 256, 40_000, 31_000, 31_008, 512} {
		want = append(want, request(clientC, uint32(i+1), size))
	}
	stream := slices.Concat(want...)
	random := rand.New(rand.NewPCG(3, 4))
	for name, source := range map[string]io.Reader{
		"at once":     bytes.NewReader(stream),
		"halves":      iotest.HalfReader(bytes.NewReader(stream)),
		"single byte": iotest.OneByteReader(bytes.NewReader(stream)),
		"error early": iotest.DataErrReader(bytes.NewReader(stream)),
		"random":      &chunkReader{bytes.NewReader(stream), func() int { return 1 + random.IntN(3000) }},
		"headers":     &chunkReader{bytes.NewReader(stream), func() int { return wire.HeaderSize }},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := receiveAll(t, receiverOf(source))
			if err != io.EOF || !slices.EqualFunc(got, want, bytes.Equal) {
				t.Errorf("%d messages of %d, or others; %v", len(got), len(want), err)
			}
		})
	}
}

// A chunkReader returns as many bytes at a time as size says.
type chunkReader struct {
	source io.Reader
	size   func() int
}

func (c *chunkReader) Read(b []byte) (int, error) {
	return c.source.Read(b[:min(len(b), c.size())])
}

func TestReceiverEnds(t *testing.T) {
	for _, size := range []int{256, 512, 100_000} {
		msg := request(clientC, 1, size)
		for _, cut := range []int{1, 255, 256, 257, size - 1} {
			if cut >= size {
				continue
			}
			got, err := receiveAll(t, receiverOf(bytes.NewReader(append(bytes.Clone(msg), msg[:cut]...))))
			if len(got) != 1 || err != io.ErrUnexpectedEOF {
				t.Errorf("message of %d bytes cut at %d: %d messages, %v", size, cut, len(got), err)
			}
		}
	}
}

func TestReceiverViolations(t *testing.T) {
	good := request(clientC, 1, 300*16)
	for name, bad := range violations {
		got, err := receiveAll(t, receiverOf(bytes.NewReader(slices.Concat(good, bad, good))))
		if len(got) != 1 || err == nil || err == io.EOF || err == io.ErrUnexpectedEOF {
			t.Errorf("%s: %d messages, %v", name, len(got), err)
		}
	}
}

// TestReceiverJudgesEarly: a bad header is not awaited the body of.
func TestReceiverJudgesEarly(t *testing.T) {
	never := iotest.ErrReader(errors.New("more bytes were asked for"))
	for name, header := range map[string][]byte{
		"checksum": damaged(request(clientC, 1, 1<<20)[:256], offsetLast),
		"command":  forged(request(clientC, 1, 1<<20)[:256], offsetCommand, 99),
		"replica":  forged(request(clientC, 1, 1<<20)[:256], offsetCommand, byte(wire.CommandPrepare)),
		"size":     sized(request(clientC, 1, 1<<20)[:256], 1<<20+16),
	} {
		r := receiverOf(io.MultiReader(bytes.NewReader(header), never))
		_, _, err := r.next()
		if !errors.Is(err, wire.ErrChecksum) && !errors.Is(err, wire.ErrCommand) &&
			!errors.Is(err, wire.ErrSize) && !errors.Is(err, errCommand) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReceiverAllocatesNothing(t *testing.T) {
	for _, size := range []int{256, 512, 1 << 20} {
		r := receiverOf(&repeatReader{msg: request(clientC, 1, size)})
		if n := testing.AllocsPerRun(50, func() {
			msg, _, err := r.next()
			if err != nil {
				t.Fatal(err)
			}
			msg.Release()
			r.done()
		}); n != 0 {
			t.Errorf("size %d: %v allocations", size, n)
		}
	}
}

// A repeatReader is an endless stream of one message.
type repeatReader struct {
	msg  []byte
	done int
}

func (r *repeatReader) Read(b []byte) (int, error) {
	n := copy(b, r.msg[r.done:])
	r.done = (r.done + n) % len(r.msg)
	return n, nil
}

// FuzzReceiver feeds bytes of a hostile peer, some of which are good: each
// input byte below 16 stands for a message, others for themselves.
func FuzzReceiver(f *testing.F) {
	known := [][]byte{request(clientC, 1, 512), ping(clientC), request(clientC, 2, 40_000)}
	for _, name := range slices.Sorted(maps.Keys(violations)) {
		known = append(known, violations[name])
	}
	f.Add([]byte{0, 1, 2, 1, 0, 7}, uint16(100))
	f.Add([]byte{0, 1, 200, 201}, uint16(1))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), uint16(7))
	f.Fuzz(func(t *testing.T, script []byte, chunk uint16) {
		var stream []byte
		for _, b := range script {
			if b < 16 {
				stream = append(stream, known[b]...)
			} else {
				stream = append(stream, b)
			}
		}
		got, err := receiveAll(t, receiverOf(&chunkReader{bytes.NewReader(stream), func() int { return int(chunk) + 1 }}))
		if err == nil {
			t.Fatal("no end")
		}
		if !bytes.HasPrefix(stream, slices.Concat(got...)) {
			t.Fatal("received what was not sent")
		}
	})
}
