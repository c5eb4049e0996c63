package rowlog

import (
	"fmt"
	"slices"
	"sort"

	"github.com/ledgerd/ledgerd/internal/u128"
)

// The fence of a part is the least key in it, 0 if there is none. Where keys
// ascend, if only for some parts on end, a row is in the part whose fence is
// nearest below its key. To find that, blocks are kept in the order of the middle
// one of their fences, which a few keys of no order do not move: the fence is in
// one of the two blocks between whose middles the key is. What else a fence leads
// to is a part that does not have the row.

// fencedBlock is a block with keys.
type fencedBlock struct {
	middle u128.Uint128 // of its fences in order
	number int
}

const fencedBlockSize = u128.Size + 8

// fencesOf returns the fences of a block, back to back.
func (d *directory) fencesOf(number int) []byte { return d.entry(number)[d.fencesAt:] }

func fenceAt(fences []byte, part int) u128.Uint128 { return u128.FromBytes(fences[part*u128.Size:]) }

// fence sets the fences of the newest block, which has this payload.
func (d *directory) fence(s *shape, data []byte, key func(row []byte) u128.Uint128) {
	fences := d.fencesOf(d.entries)
	for n := range s.parts {
		part, least := data[s.start(n):s.start(n+1)], u128.Uint128{}
		for size := rowLength(part); size > 0; size = rowLength(part) {
			least = lesser(least, key(part[:size]))
			part = part[size:]
		}
		least.PutBytes(fences[n*u128.Size:])
	}
	if b, ok := d.fenced(d.entries); ok {
		d.blocks = slices.Insert(d.blocks, d.behind(b.middle), b)
	}
}

// lesser returns the lesser of two keys, of which one that is 0 does not count.
func lesser(a, b u128.Uint128) u128.Uint128 {
	if a.IsZero() || b.Less(a) && !b.IsZero() {
		return b
	}
	return a
}

// fenced returns a block with the middle of its fences, or false if it has no keys.
func (d *directory) fenced(number int) (b fencedBlock, ok bool) {
	fences := make([]u128.Uint128, 0, 256) // parts of the largest block; on the stack
	for rest := d.fencesOf(number); len(rest) > 0; rest = rest[u128.Size:] {
		if fence := u128.FromBytes(rest); !fence.IsZero() {
			fences = append(fences, fence)
		}
	}
	if len(fences) == 0 {
		return b, false
	}
	slices.SortFunc(fences, u128.Uint128.Compare)
	return fencedBlock{fences[len(fences)/2], number}, true
}

// takeFences takes the fences of all blocks, as they were read.
func (d *directory) takeFences() {
	for number := 1; number <= d.entries; number++ {
		if b, ok := d.fenced(number); ok {
			d.blocks = append(d.blocks, b)
		}
	}
	slices.SortStableFunc(d.blocks, func(a, b fencedBlock) int { return a.middle.Compare(b.middle) })
}

// behind returns how many blocks have a middle that is not above a key.
func (d *directory) behind(key u128.Uint128) int {
	return sort.Search(len(d.blocks), func(i int) bool { return key.Less(d.blocks[i].middle) })
}

// placeOf returns the only part in which a key is looked for, or 0.
func (d *directory) placeOf(s *shape, key u128.Uint128) (place int) {
	behind, nearest := d.behind(key), u128.Uint128{}
	for _, b := range d.blocks[max(0, behind-1):min(len(d.blocks), behind+1)] {
		fences := d.fencesOf(b.number)
		for n := range s.parts {
			if fence := fenceAt(fences, n); nearest.Less(fence) && !key.Less(fence) {
				nearest, place = fence, b.number*s.parts+n
			}
		}
	}
	return place
}

// Find calls found, as Fetch calls visit, for those keys whose row is where the
// fences say: with its number, and the row and its position. For all other keys it
// may be that there is a row, too, which Find does not see: in the newest block,
// or out of order. No more than one part is read for a key, and each part once;
// none while that is mostly in vain. A key of 0 is never found. The keys belong to
// the log until done is called.
func (l *Log) Find(keys []u128.Uint128, found func(i int, at Position, row []byte), done func(error)) {
	if len(keys) > fetchMax || l.config.Key == nil {
		panic(fmt.Sprintf("rowlog: %s is asked for %d keys", l.config.Name, len(keys)))
	}
	f := l.idleFetch()
	f.keys, f.found, f.done = keys, found, done
	reads := l.luck.reads()
	for i, key := range keys {
		place := l.directory.placeOf(&l.shape, key)
		if place == 0 || key.IsZero() {
			continue
		}
		if part, ok := l.part(place); ok {
			f.search(part, place, i)
		} else if reads {
			f.missing = append(f.missing, uint64(place)<<fetchIndexBits|uint64(i))
		}
	}
	slices.Sort(f.missing)
	f.run()
}

// search looks for the row of a key in a part, and reports whether it is there.
func (f *fetch) search(part []byte, place, i int) bool {
	l := f.log
	for at := 0; ; {
		size := rowLength(part[at:])
		if size < 0 && f.err == nil {
			f.err = l.wrap(l.notRow(place, at))
		}
		if size <= 0 {
			return false
		}
		if row := part[at : at+size : at+size]; l.config.Key(row) == f.keys[i] {
			f.found(i, l.startOf(place)+Position(at), row)
			return true
		}
		at += size
	}
}

// FenceCheck is given all rows of a log in order, and says whether the fences are
// what follows from them.
type FenceCheck struct {
	log   *Log
	place int          // of the part at hand
	least u128.Uint128 // key in it so far
}

// NewFenceCheck returns a check that begins at the first row.
func (l *Log) NewFenceCheck() FenceCheck { return FenceCheck{log: l, place: l.parts} }

// Row takes the next row. It returns an error if the fence of the part before is
// wrong.
func (c *FenceCheck) Row(p Position, row []byte) error {
	l := c.log
	if place := l.place(p); place != c.place {
		if number := c.place / l.parts; number <= l.flushed {
			if fence := fenceAt(l.directory.fencesOf(number), c.place%l.parts); fence != c.least {
				return l.wrap(fmt.Errorf("the part before %v has the fence %v, not %v", p, fence, c.least))
			}
		}
		c.place, c.least = place, u128.Uint128{}
	}
	c.least = lesser(c.least, l.config.Key(row))
	return nil
}

// luck decides whether Find reads. While more parts do not have the row than do,
// as when the keys of several clients are interleaved, it does so only now and
// then, to learn whether that has changed.
type luck struct {
	balance int // rows found less rows missed in what was read, within luckMax
	skipped int // calls of Find since one might read
}

const (
	luckMax = 1 << 13
	// luckSkips is how many calls in a row do not read.
	luckSkips = 15
)

// reads reports whether the next call of Find may read.
func (l *luck) reads() bool {
	if l.balance < 0 && l.skipped < luckSkips {
		l.skipped++
		return false
	}
	l.skipped = 0
	return true
}

// learn takes note of whether a part that was read had a row.
func (l *luck) learn(found bool) {
	if found {
		l.balance = min(l.balance+1, luckMax)
	} else {
		l.balance = max(l.balance-1, -luckMax)
	}
}
