package disk

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/ledgerd/ledgerd/internal/blockio"
)

// smallWrites returns durable writes of a sector each, which say where they are.
func smallWrites(count int) []*blockio.Request {
	group := make([]*blockio.Request, count)
	for i := range group {
		group[i] = &blockio.Request{Kind: blockio.Write, Durable: true, Offset: int64(i) * sector, Buf: filled(sector, byte(i+1)),
			Err: errors.ErrUnsupported, Done: func(*blockio.Request) {}}
	}
	return group
}

// A group is written, then synced once; a lone write is durable by itself.
func TestGroupIsSyncedOnce(t *testing.T) {
	for count, want := range map[int][]string{
		1: {"write at 0, durable true"},
		3: {"write at 0, durable false", "write at 1, durable false", "write at 2, durable false", "sync"},
	} {
		f := &faultyFile{content: make([]byte, 4*sector)}
		l := startFaulty(f)
		group := smallWrites(count)
		l.carryOutGroup(group)
		if !slices.Equal(f.calls, want) {
			t.Errorf("%d writes: %q", count, f.calls)
		}
		for i, r := range group {
			if r.Err != nil || !bytes.Equal(f.content[r.Offset:][:sector], r.Buf) {
				t.Errorf("write %d of %d: %v, or other bytes", i, count, r.Err)
			}
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Nothing of a group is stable if the sync fails.
func TestGroupWhoseSyncFails(t *testing.T) {
	l := startFaulty(&faultyFile{content: make([]byte, 4*sector), failSync: syscall.EIO})
	defer l.Close()
	group := smallWrites(3)
	l.carryOutGroup(group)
	for i, r := range group {
		if !errors.Is(r.Err, syscall.EIO) || !strings.Contains(r.Err.Error(), "write 4096 bytes") {
			t.Errorf("write %d: %v", i, r.Err)
		}
	}
}

// What joins a group: small durable writes that do not extend the file.
func TestJoinsGroup(t *testing.T) {
	l := startFaulty(&faultyFile{content: make([]byte, 64*sector)})
	defer l.Close()
	for _, test := range []struct {
		r    blockio.Request
		want bool
	}{
		{blockio.Request{Kind: blockio.Write, Durable: true, Buf: filled(groupWriteSize, 1)}, true},
		{blockio.Request{Kind: blockio.Write, Durable: true, Buf: filled(groupWriteSize+sector, 1)}, false},
		{blockio.Request{Kind: blockio.Write, Buf: filled(sector, 1)}, false},
		{blockio.Request{Kind: blockio.Write, Durable: true, Buf: filled(sector, 1), Offset: 63 * sector}, true},
		{blockio.Request{Kind: blockio.Write, Durable: true, Buf: filled(2*sector, 1), Offset: 63 * sector}, false},
		{blockio.Request{Kind: blockio.Read, Buf: filled(sector, 1)}, false},
		{blockio.Request{Kind: blockio.Sync}, false},
	} {
		if got := l.joinsGroup(&test.r); got != test.want {
			t.Errorf("%v of %d bytes at %d: %v", test.r.Kind, len(test.r.Buf), test.r.Offset, got)
		}
	}
}

// What the kernel leaves undone of a group is done again; what it says went wrong,
// did, for that write alone.
func TestResultsOfWrites(t *testing.T) {
	for result, want := range map[int64]error{
		2 * sector: nil, sector: nil, 0: nil, -int64(syscall.EAGAIN): nil, -int64(syscall.EINTR): nil, -int64(syscall.EIO): syscall.EIO,
	} {
		f := &faultyFile{content: make([]byte, 2*sector), partial: sector}
		l := startFaulty(f)
		r := &blockio.Request{Kind: blockio.Write, Durable: true, Buf: filled(2*sector, 7)}
		if err := l.finishWrite(r, result); !errors.Is(err, want) {
			t.Errorf("result %d: %v", result, err)
		}
		if done := bytes.Equal(f.content, r.Buf); done != (result != 2*sector && want == nil) {
			t.Errorf("result %d: written again %v", result, done)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}
