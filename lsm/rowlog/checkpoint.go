package rowlog

import (
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
	l.await(func() {
		l.writeChunks(chunks)
		l.await(done)
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

// await calls then when no block is on its way to the grid.
func (l *Log) await(then func()) {
	if l.writing == 0 {
		then()
		return
	}
	l.written = func() {
		l.written = nil
		then()
	}
}
