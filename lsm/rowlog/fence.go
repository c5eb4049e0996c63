package rowlog

import (
	"fmt"
	"slices"

	"github.com/ledgerd/ledgerd/internal/u128"
)

// A fence is the greatest key of all rows up to the end of a part. So fences
// ascend, whatever the order of the keys, and a row whose key is above those of
// all parts before its own is in the first part whose fence is not below the key.
// If keys ascend, every row is. What else a fence leads to is a part that does
// not have the row.

// lastFence returns the fence of the newest part that has one.
func (d *directory) lastFence() u128.Uint128 {
	if n := len(d.fences); n > 0 {
		return d.fences[n-1]
	}
	return u128.Uint128{}
}

func fenceAt(fences []byte, part int) u128.Uint128 { return u128.FromBytes(fences[part*u128.Size:]) }

// fencesOf returns the fences of a block, back to back.
func (d *directory) fencesOf(number int) []byte { return d.entry(number)[d.fencesAt:] }

// appendFences sets the fences of the newest entry, whose block has this payload.
func (d *directory) appendFences(s shape, data []byte, key func(row []byte) u128.Uint128) {
	greatest, fences := d.lastFence(), d.fencesOf(d.entries)
	for n := range s.parts {
		part := data[s.start(n):s.start(n+1)]
		for size := rowLength(part); size > 0; size = rowLength(part) {
			if k := key(part[:size]); greatest.Less(k) {
				greatest = k
			}
			part = part[size:]
		}
		greatest.PutBytes(fences[n*u128.Size:])
	}
	d.fences = append(d.fences, greatest)
}

// takeFences takes the fences of the next block, as they were read. It reports
// false if they do not ascend.
func (d *directory) takeFences(number int) bool {
	fences, last := d.fencesOf(number), d.lastFence()
	if len(fences) == 0 {
		return true
	}
	for ; len(fences) > 0; fences = fences[u128.Size:] {
		fence := u128.FromBytes(fences)
		if fence.Less(last) {
			return false
		}
		last = fence
	}
	d.fences = append(d.fences, last)
	return true
}

// placeOf returns the only part that the fences let have a key, or 0.
func (d *directory) placeOf(s *shape, key u128.Uint128) (place int) {
	before, _ := slices.BinarySearchFunc(d.fences, key, u128.Uint128.Compare)
	if before == len(d.fences) {
		return 0
	}
	fences := d.fencesOf(before + 1)
	low, high := 0, s.parts-1
	for low < high {
		if middle := (low + high) / 2; fenceAt(fences, middle).Less(key) {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return (before+1)*s.parts + low
}

// Find calls found, as Fetch calls visit, for those keys whose row is where the
// fences say: with its number, and the row and its position. For all other keys it
// may be that there is a row, too, which Find does not see: in the newest block,
// or behind a row with a greater key. No more than one part is read for a key, and
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
	log      *Log
	greatest u128.Uint128 // key so far, in full blocks
	fence    u128.Uint128 // of the part at hand
}

// NewFenceCheck returns a check that begins at the first row.
func (l *Log) NewFenceCheck() FenceCheck { return FenceCheck{log: l} }

// Row takes the next row. It returns an error if a fence is wrong.
func (c *FenceCheck) Row(p Position, row []byte) error {
	l, number, fence := c.log, p.number(), u128.Uint128{}
	newest := number > l.flushed // and has no fences
	if !newest {
		fence = fenceAt(l.directory.fencesOf(number), l.partAt(p.offset()))
	}
	if (newest || fence != c.fence) && c.fence != c.greatest {
		return l.wrap(fmt.Errorf("before %v is the fence %v, but the greatest key is %v", p, c.fence, c.greatest))
	}
	if newest {
		return nil
	}
	c.fence = fence
	if key := l.config.Key(row); c.greatest.Less(key) {
		c.greatest = key
	}
	if fence.Less(c.greatest) {
		return l.wrap(fmt.Errorf("%v has the fence %v, but there is the key %v", p, fence, c.greatest))
	}
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
