package disk

import (
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/ledgerd/ledgerd/internal/blockio"
)

// A diskLoop is a disk with the loop that owns its requests.
type diskLoop struct {
	*Disk
	completed chan *blockio.Request
	underWay  int
}

func newDiskLoop() *diskLoop {
	return &diskLoop{completed: make(chan *blockio.Request, requestsMax)}
}

func (l *diskLoop) options() Options {
	return Options{Complete: func(r *blockio.Request) { l.completed <- r }, AllowBuffered: true,
		Logger: slog.New(slog.DiscardHandler)}
}

func (l *diskLoop) Submit(r *blockio.Request) {
	l.underWay++
	l.Disk.Submit(r)
}

func (l *diskLoop) Run() {
	for l.underWay > 0 {
		r := <-l.completed
		l.underWay--
		r.Done(r)
	}
}

// openLoop opens the file at path for the rest of the test.
func openLoop(t testing.TB, path string) *diskLoop {
	t.Helper()
	l := newDiskLoop()
	var err error
	if l.Disk, err = Open(path, l.options()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// created returns the path of a new data file.
func created(t testing.TB, size int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "data")
	if err := Create(path, size); err != nil {
		t.Fatal(err)
	}
	return path
}
