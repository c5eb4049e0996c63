package rowlog

import (
	"fmt"
	"slices"
	"sort"

	"github.com/ledgerd/ledgerd/internal/u128"
)

// The fence of a part is the least key in it, or the fence of the part before if
// that is greater. So fences ascend, whatever the order of the keys. If keys
// ascend, each fence is the first key of its part, and a row is in the last part
// whose fence is not above its key. A few keys of no order, great or small, change
// little in that. What else a fence leads to is a part that does not have the row.

func fenceAt(fences []byte, part int) u128.Uint128 { return u128.FromBytes(fences[part*u128.Size:]) }

// fencesOf returns the fences of a block, back to back.
func (d *directory) fencesOf(number int) []byte { return d.entry(number)[d.fencesAt:] }

// lastFence returns the last fence of a block, 0 of block 0.
func (d *directory) lastFence(s *shape, number int) u128.Uint128 {
	if number == 0 {
		return u128.Uint128{}
	}
	return fenceAt(d.fencesOf(number), s.parts-1)
}

// appendFences sets the fences of the newest entry, whose block has this payload.
func (d *directory) appendFences(s *shape, data []byte, key func(row []byte) u128.Uint128) {
	fence, fences := d.lastFence(s, d.entries-1), d.fencesOf(d.entries)
	for n := range s.parts {
		part, least := data[s.start(n):s.start(n+1)], u128.Max
		for size := rowLength(part); size > 0; size = rowLength(part) {
			least = lesser(least, key(part[:size]))
			part = part[size:]
		}
		fence = fenceAfter(fence, least)
		fence.PutBytes(fences[n*u128.Size:])
	}
	d.fences = append(d.fences, fenceAt(fences, 0))
}

// lesser returns the lesser of two keys, of which the second one does not count if
// it is 0.
func lesser(least, key u128.Uint128) u128.Uint128 {
	if key.Less(least) && !key.IsZero() {
		return key
	}
	return least
}

// fenceAfter returns the fence of a part by that of the part before and its least
// key, which is u128.Max if it has none.
func fenceAfter(before, least u128.Uint128) u128.Uint128 {
	if before.Less(least) && !least.IsMax() {
		return least
	}
	return before
}

// takeFences takes the fences of the next block, as they were read. It reports
// false if they do not ascend.
func (d *directory) takeFences(s *shape, number int) bool {
	fences := d.fencesOf(number)
	if len(fences) == 0 {
		return true
	}
	last := d.lastFence(s, number-1)
	for n := range s.parts {
		fence := fenceAt(fences, n)
		if fence.Less(last) {
			return false
		}
		last = fence
	}
	d.fences = append(d.fences, fenceAt(fences, 0))
	return true
}

// placeOf returns the only part that the fences let have a key, or 0.
func (d *directory) placeOf(s *shape, key u128.Uint128) (place int) {
	number := sort.Search(len(d.fences), func(i int) bool { return key.Less(d.fences[i]) })
	if number == 0 {
		return 0
	}
	fences := d.fencesOf(number)
	behind := sort.Search(s.parts, func(i int) bool { return key.Less(fenceAt(fences, i)) })
	return number*s.parts + behind - 1
}

// Find calls found, as Fetch calls visit, for those keys whose row is where the
// fences say: with its number, and the row and its position. For all other keys it
// may be that there is a row, too, which Find does not see: in the newest block,
// or out of order. No more than one part is read for a key, and
// each part once; none while that is mostly in vain. A key of 0 is never found. The
// keys belong to the log until done is called.
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
	log    *Log
	place  int          // of the part at hand
	least  u128.Uint128 // key in it so far
	before u128.Uint128 // fence of the part before
}

// NewFenceCheck returns a check that begins at the first row.
func (l *Log) NewFenceCheck() FenceCheck {
	return FenceCheck{log: l, place: l.place(positionOf(1, 0)), least: u128.Max}
}

// Row takes the next row. It returns an error if the fence of the part before is
// wrong.
func (c *FenceCheck) Row(p Position, row []byte) error {
	l := c.log
	if place := l.place(p); place != c.place {
		if number := c.place / l.parts; number <= l.flushed {
			want, fence := fenceAfter(c.before, c.least), fenceAt(l.directory.fencesOf(number), c.place%l.parts)
			if fence != want {
				return l.wrap(fmt.Errorf("the part before %v has the fence %v, not %v", p, fence, want))
			}
			c.before = fence
		}
		c.place, c.least = place, u128.Max
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
