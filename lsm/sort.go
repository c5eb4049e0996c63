package lsm

import (
	"slices"

	"github.com/ledgerd/ledgerd/lsm/table"
)

// sorter brings entries into the order of their keys, equal keys in the order
// of insertion. It keeps its memory for the next time.
type sorter struct {
	items, other []uint64 // prefix of the key << 32 | number of the entry
}

const (
	radixBits   = 11
	prefixBits  = 2 * radixBits
	smallGroup  = 12 // up to which insertion beats everything
	radixBucket = 1 << radixBits
)

// sort appends the numbers of entries[first:] in the order of their keys.
//
// Entries that are in order already cost one look each. Others are sorted by
// the 22 bits of their first differing word that tell them apart best, by
// counting; what these leave equal is sorted by comparing.
func (s *sorter) sort(entries []Entry, first int, order []uint32) []uint32 {
	low, high, ordered := bounds(entries[first:])
	if ordered {
		for i := first; i < len(entries); i++ {
			order = append(order, uint32(i))
		}
		return order
	}
	word := 0
	for low[word] == high[word] {
		word++
	}
	shift := 0
	for (high[word]-low[word])>>shift >= 1<<prefixBits {
		shift++
	}
	s.items = slices.Grow(s.items[:0], len(entries)-first)
	for i := first; i < len(entries); i++ {
		prefix := (entries[i].Key[word] - low[word]) >> shift
		s.items = append(s.items, prefix<<32|uint64(i))
	}
	s.other = slices.Grow(s.other[:0], len(s.items))[:len(s.items)]
	scatter(s.other, s.items, 32)
	scatter(s.items, s.other, 32+radixBits)
	for at := 0; at < len(s.items); {
		end := at + 1
		for end < len(s.items) && s.items[end]>>32 == s.items[at]>>32 {
			end++
		}
		sortGroup(entries, s.items[at:end])
		at = end
	}
	for _, item := range s.items {
		order = append(order, uint32(item))
	}
	return order
}

// bounds returns the least and the greatest word of each place, and whether
// the entries are in order.
func bounds(entries []Entry) (low, high Key, ordered bool) {
	low, ordered = table.KeyMax, true
	for i := range entries {
		key := &entries[i].Key
		for w := range key {
			low[w], high[w] = min(low[w], key[w]), max(high[w], key[w])
		}
		if i > 0 && key.Less(entries[i-1].Key) {
			ordered = false
		}
	}
	return low, high, ordered
}

// scatter sorts from into to by radixBits of the items, keeping the order of
// equal ones.
func scatter(to, from []uint64, shift uint) {
	var starts [radixBucket]int32
	for _, item := range from {
		starts[item>>shift&(radixBucket-1)]++
	}
	sum := int32(0)
	for i, n := range starts {
		starts[i] = sum
		sum += n
	}
	for _, item := range from {
		bucket := item >> shift & (radixBucket - 1)
		to[starts[bucket]] = item
		starts[bucket]++
	}
}

// sortGroup sorts items of equal prefix by key, then by number. They come in
// the order of their numbers, which often is that of their keys.
func sortGroup(entries []Entry, items []uint64) {
	for i := 1; i < len(items); i++ {
		if !entries[uint32(items[i])].Key.Less(entries[uint32(items[i-1])].Key) {
			continue
		}
		if len(items) > smallGroup {
			slices.SortStableFunc(items, func(a, b uint64) int {
				return entries[uint32(a)].Key.Compare(entries[uint32(b)].Key)
			})
			return
		}
		for j := i; j > 0 && entries[uint32(items[j])].Key.Less(entries[uint32(items[j-1])].Key); j-- {
			items[j], items[j-1] = items[j-1], items[j]
		}
	}
}
