package disk

import (
	"bytes"
	"os"
	"testing"

	"github.com/ledgerd/ledgerd/internal/blockio"
)

// Many more small writes than a group has, at the same time, whether or not the
// kernel takes them.
func TestManySmallWrites(t *testing.T) {
	for name, spoil := range map[string]func(*Disk){
		"kernel":  func(*Disk) {},
		"refused": func(d *Disk) { d.groupWriter.file = -1 },
		"pool":    func(d *Disk) { d.groupWriter = nil },
	} {
		t.Run(name, func(t *testing.T) {
			path := created(t, 1<<20)
			l := openLoop(t, path)
			if l.groupWriter == nil {
				t.Skip("no asynchronous I/O here")
			}
			writer := l.groupWriter
			spoil(l.Disk)
			writes := smallWrites(10 * groupMax)
			for _, r := range writes {
				l.Submit(r)
			}
			l.Run()
			l.groupWriter = writer // to be closed
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for i, r := range writes {
				if r.Err != nil || !bytes.Equal(content[r.Offset:][:sector], r.Buf) {
					t.Errorf("write %d: %v, or other bytes", i, r.Err)
				}
			}
		})
	}
}

// The kernel writes the whole of a group, and says so of each write.
func TestGroupWriter(t *testing.T) {
	path := created(t, 1<<20)
	f, err := openFile(path, Options{AllowBuffered: true}, systemOpen)
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	w, err := newGroupWriter(f)
	if err != nil {
		t.Skip(err)
	}
	group := smallWrites(groupMax)
	group[3].Buf = filled(2*sector, 9)
	group[3].Offset = 1 << 19
	for range 3 {
		var results [groupMax]int64
		w.write(group, results[:])
		for i, r := range group {
			if results[i] != int64(len(r.Buf)) {
				t.Errorf("write %d: result %d", i, results[i])
			}
		}
	}
	if err := w.close(); err != nil {
		t.Error(err)
	}
	var results [groupMax]int64
	w.write(group, results[:]) // to nobody
	if results != [groupMax]int64{} {
		t.Errorf("results of a closed one: %d", results)
	}
}

// BenchmarkPair writes two sectors far from each other, durably, and waits for both,
// as the journal does for a small record.
func BenchmarkPair(b *testing.B) {
	const fileSize = 64 << 20
	l := openLoop(b, created(b, fileSize))
	var pair [2]blockio.Request
	for i := range pair {
		pair[i] = blockio.Request{Kind: blockio.Write, Durable: true, Buf: filled(sector, 1), Done: func(*blockio.Request) {}}
	}
	for n := 0; b.Loop(); n++ {
		for i := range pair {
			pair[i].Offset = int64(i*fileSize/2 + n%(fileSize/2/sector)*sector)
			l.Submit(&pair[i])
		}
		l.Run()
	}
}
