package rowlog

import (
	"fmt"

	"github.com/ledgerd/ledgerd/internal/block"
)

// Checkpoint writes all that is not on the grid yet: the newest block as far
// as it goes, and the chunks of the directory that are full. done is called
// when AppendState is complete, perhaps before Checkpoint returns; what it
// names is stable after the next Sync. Until done nothing may be pushed.
func (l *Log) Checkpoint(done func()) {
	l.Flush()
	if p := l.newest(); p.used != l.used {
		l.write(p, l.used)
	}
	chunks := make([]block.Address, l.directory.full()-len(l.directory.refs))
	for i := range chunks {
		chunks[i] = l.grid.Acquire()
	}
	l.await(0, func() {
		l.writeChunks(chunks)
		l.await(0, done)
	})
}

// writeChunks writes chunks of which all entries have their reference.
func (l *Log) writeChunks(addresses []block.Address) {
	d := &l.directory
	for _, a := range addresses {
		n := len(d.refs)
		d.refs = append(d.refs, block.Ref{})
		l.writing++
		l.grid.Write(a, l.config.DirectoryKind,
			func(dst []byte) int { return copy(dst, d.chunks[n]) },
			func(ref block.Ref) {
				d.refs[n] = ref
				l.wrote()
			})
	}
}

// Settle calls done when few enough blocks are on their way to the grid,
// perhaps before it returns. Called before each op, it bounds the memory of a
// log that grows faster than the disk takes it. Until done nothing may be
// pushed.
func (l *Log) Settle(done func()) { l.await(writingMax, done) }

// writingMax is how many blocks may be on their way when an op begins.
const writingMax = 64

// await calls then when at most so many blocks are on their way to the grid.
func (l *Log) await(writing int, then func()) {
	if l.awaiting != nil {
		panic(fmt.Sprintf("rowlog: %s is asked to wait twice", l.config.Name))
	}
	if l.writing <= writing {
		then()
		return
	}
	l.awaited, l.awaiting = writing, then
}

// wrote takes note that a write is complete.
func (l *Log) wrote() {
	l.writing--
	if then := l.awaiting; then != nil && l.writing <= l.awaited {
		l.awaiting = nil
		then()
	}
}
