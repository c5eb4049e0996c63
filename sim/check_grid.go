package sim

import (
	"errors"
	"fmt"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/vsr"
	"github.com/ledgerd/ledgerd/vsr/faultdisk"
	"github.com/ledgerd/ledgerd/vsr/grid"
	"github.com/ledgerd/ledgerd/vsr/superblock"
)

// checkGrid compares what replicas have on their disks when a checkpoint of
// theirs has become durable: every block that it has in use must be there, and
// equal, byte for byte, to that of every other replica, whether that has executed
// the requests or received the blocks. On a disk that rots a block may be
// damaged, but not be another whole one.
type checkGrid struct {
	sim   *simulation
	grids map[vsr.Op]map[block.Address]checksum.Sum
}

func newCheckGrid(s *simulation) *checkGrid {
	return &checkGrid{sim: s, grids: make(map[vsr.Op]map[block.Address]checksum.Sum)}
}

// check looks at the disk of a replica.
func (c *checkGrid) check(r *replica) error {
	if c.sim.options.fault == faultLost {
		return nil // an older block may be where it should not
	}
	root, err := readSuperblock(r)
	if err != nil || root.Syncing || root.Checkpoint.Op == 0 {
		return err
	}
	found, err := c.blocks(r, &root)
	switch {
	case errors.Is(err, grid.ErrCorrupt) && r.mayRot() && c.sim.options.fault != faultNone:
		return nil // the free set itself
	case err != nil:
		return fmt.Errorf("checkpoint at op %d: %w", root.Checkpoint.Op, err)
	}
	op := vsr.Op(root.Checkpoint.Op)
	known, again := c.grids[op]
	if !again {
		c.grids[op] = found
		return nil
	}
	for address, sum := range found {
		switch other, ok := known[address]; {
		case !ok:
			return fmt.Errorf("checkpoint at %v: %v is in use, and is not elsewhere", op, address)
		case other.IsZero():
			known[address] = sum // damaged there
		case !sum.IsZero() && sum != other:
			return fmt.Errorf("checkpoint at %v: %v has checksum %x, and %x elsewhere", op, address, sum, other)
		}
	}
	if len(known) != len(found) {
		return fmt.Errorf("checkpoint at %v: %d blocks are in use, and %d elsewhere", op, len(found), len(known))
	}
	return nil
}

// blocks returns the checksums of all blocks that are in use, zero for those that
// are damaged.
func (c *checkGrid) blocks(r *replica, root *superblock.State) (found map[block.Address]checksum.Sum, err error) {
	disk := &instantDisk{disk: r.disk}
	size, zone := int64(root.Layout.BlockSize), root.Layout.GridOffset()
	blocks := grid.New(disk, grid.Config{ZoneOffset: zone, BlockSize: int(size), Fault: func(e error) { err = e }})
	blocks.Open(root.Checkpoint.Grid, func(e error) { err = e })
	if disk.run(); err != nil {
		return nil, err
	}
	found = make(map[block.Address]checksum.Sum)
	tour := blocks.NewScrubber(grid.Whole, 1, func(info grid.BlockInfo, damage error) {
		sum := checksum.Sum{}
		if damage == nil {
			sum = checksum.Sum(r.disk.Peek(zone+int64(info.Address-1)*size, len(sum)))
		} else if !r.mayRot() || c.sim.options.fault == faultNone {
			err = damage
		}
		found[info.Address] = sum
	})
	for !tour.Tick() {
		disk.run()
	}
	return found, err
}

// readSuperblock returns what the superblock of a replica says.
func readSuperblock(r *replica) (root superblock.State, err error) {
	disk := &instantDisk{disk: r.disk}
	block := superblock.New(disk, func(e error) { err = e })
	block.Open(r.fileSize, func(e error) { err = e })
	disk.run()
	if err != nil {
		return root, err
	}
	return block.State(), nil
}

// instantDisk reads what is on a disk at this moment, and does nothing else.
type instantDisk struct {
	disk    *faultdisk.Disk
	waiting []*blockio.Request
}

// Submit implements vsr.Storage.
func (d *instantDisk) Submit(r *blockio.Request) { d.waiting = append(d.waiting, r) }

// run completes all requests.
func (d *instantDisk) run() {
	for ; len(d.waiting) > 0; d.waiting = d.waiting[1:] {
		r := d.waiting[0]
		r.Err = nil
		copy(r.Buf, d.disk.Peek(r.Offset, len(r.Buf)))
		r.Done(r)
	}
}
