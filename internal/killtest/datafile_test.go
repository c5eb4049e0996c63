package killtest

import (
	"bytes"
	"encoding/binary"
	"os"
	"testing"
	"time"
)

// A dataFile is a data file looked at from outside. The offsets are restated
// from the tables beside the codec of the superblock.
type dataFile struct {
	*os.File
}

const (
	superblockCopies   = 4
	superblockDistance = 64 << 10 // from copy to copy, in bytes
	superblockSize     = superblockCopies * superblockDistance
	sectorSize         = 4096

	offsetVersion       = 8
	offsetSequence      = 32
	offsetFlags         = 74
	offsetView          = 76
	offsetJournalSpares = 84
	offsetJournalSlots  = 96
	offsetRingSize      = 104
	offsetRecovery      = 120
	offsetCheckpointOp  = 128 + 32
	offsetJournalOffset = 128 + 56
	headerSize          = 256

	flagSyncing = 1 << 1 // in offsetFlags
	spareSize   = 16 << 10
)

func openDataFile(t *testing.T, path string) dataFile {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return dataFile{file}
}

// sector returns the 4 KiB at an offset.
func (f dataFile) sector(t *testing.T, offset int64) []byte {
	t.Helper()
	sector := make([]byte, sectorSize)
	if _, err := f.ReadAt(sector, offset); err != nil {
		t.Fatal(err)
	}
	return sector
}

// root returns the newest copy of the superblock. torn says that the copies
// differ: the last update was cut short.
func (f dataFile) root(t *testing.T) (newest []byte, torn bool) {
	t.Helper()
	for i := range int64(superblockCopies) {
		sector := f.sector(t, i*superblockDistance)
		if newest == nil {
			newest = sector
			continue
		}
		torn = torn || sequence(sector) != sequence(newest)
		if sequence(sector) > sequence(newest) {
			newest = sector
		}
	}
	return newest, torn
}

// sequence counts the updates of the superblock.
func sequence(root []byte) uint64 { return binary.LittleEndian.Uint64(root[offsetSequence:]) }

// checkpoints counts the updates that were for a checkpoint: all but the format
// itself, and one for each view.
func checkpoints(root []byte) int {
	return int(sequence(root)) - 1 - int(binary.LittleEndian.Uint32(root[offsetView:]))
}

// checkpointOp returns the op of the checkpoint; 0 if not all that it takes is
// there yet.
func checkpointOp(root []byte) uint64 {
	if root[offsetFlags]&flagSyncing != 0 || binary.LittleEndian.Uint64(root[offsetRecovery:]) != 0 {
		return 0
	}
	return binary.LittleEndian.Uint64(root[offsetCheckpointOp:])
}

// wraps returns how often the checkpointed journal has gone round its ring.
func wraps(root []byte) int {
	return int(binary.LittleEndian.Uint64(root[offsetJournalOffset:]) / binary.LittleEndian.Uint64(root[offsetRingSize:]))
}

// zones returns where the ring of headers and the ring of records begin.
func zones(root []byte) (headers, records int64) {
	headers = superblockSize
	spares := headers + headerSize*int64(binary.LittleEndian.Uint32(root[offsetJournalSlots:]))
	return headers, spares + spareSize*int64(binary.LittleEndian.Uint32(root[offsetJournalSpares:]))
}

// watch returns when the sector at an offset is written, or after a while. It
// does not sleep: an update of the superblock takes a fraction of a millisecond.
func (f dataFile) watch(t *testing.T, offset int64, atMost time.Duration) {
	t.Helper()
	before := f.sector(t, offset)
	for end := time.Now().Add(atMost); time.Now().Before(end); {
		if !bytes.Equal(before, f.sector(t, offset)) {
			return
		}
	}
}
