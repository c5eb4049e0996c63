package pure

import (
	"maps"
	"slices"
	"strings"

	"example.org/unknown"
	"example.test/bad/free"
)

type set map[int]struct{}

type holder struct{ sets []set }

func iterate(h holder, table free.Table, list []int, any unknown.Thing) int {
	total := 0
	for k := range h.sets[0] { // want "a range over a map comes in random order"
		total += k
	}
	for _, v := range table { // want "a range over a map"
		total += v
	}
	for _, v := range table { //policy:ordered a sum is the same in any order
		total += v
	}
	for _, v := range table { //policy:ordered
		total += v
	}
	for _, k := range slices.Sorted(maps.Keys(table)) {
		total += len(k)
	}
	for k := range maps.Keys(table) { // want "maps.Keys comes in random order"
		total += len(k)
	}
	for _, v := range list {
		total += v
	}
	for range strings.Fields("a b") {
		total++
	}
	for range any.List { // want "cannot tell what is ranged over"
		total++
	}
	return total
}
