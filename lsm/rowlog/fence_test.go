package rowlog

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ledgerd/ledgerd/internal/u128"
)

// find looks for the keys of rows. Those must be found to whose part the fences
// lead, as they are computed here from all rows, and no others.
func (w *world) find(numbers []int) check {
	twin := w.twin
	leasts := make(map[int]u128.Uint128) // of places
	for n := range twin {
		if place := w.log.place(twin[n].at); place/w.log.parts <= w.log.flushed {
			leasts[place] = lesser(leasts[place], testKey(twin[n].bytes))
		}
	}
	var middles []fencedBlock
	for number := 1; number <= w.log.flushed; number++ {
		var keys []u128.Uint128
		for n := range w.log.parts {
			if key := leasts[number*w.log.parts+n]; !key.IsZero() {
				keys = append(keys, key)
			}
		}
		if len(keys) > 0 {
			slices.SortFunc(keys, u128.Uint128.Compare)
			middles = append(middles, fencedBlock{keys[len(keys)/2], number})
		}
	}
	ordered := make([]bool, len(twin))
	for _, n := range numbers {
		key, below, above := testKey(twin[n].bytes), fencedBlock{}, fencedBlock{middle: u128.Max}
		for _, b := range middles {
			if !key.Less(b.middle) && below.middle.Less(b.middle) {
				below = b
			} else if key.Less(b.middle) && b.middle.Less(above.middle) {
				above = b
			}
		}
		nearest, best := u128.Uint128{}, 0
		for place, least := range leasts {
			number := place / w.log.parts
			if (number == below.number || number == above.number) && nearest.Less(least) && !key.Less(least) {
				nearest, best = least, place
			}
		}
		ordered[n] = best == w.log.place(twin[n].at) && !key.IsZero()
	}
	keys, must := make([]u128.Uint128, len(numbers)), make([]bool, len(numbers))
	for i, n := range numbers {
		keys[i], must[i] = testKey(twin[n].bytes), ordered[n] && w.log.luck.balance >= 0
	}
	done, err := false, error(nil)
	w.log.Find(keys, func(i int, at Position, row []byte) {
		if n := numbers[i]; done || !ordered[n] || at != twin[n].at || !bytes.Equal(row, twin[n].bytes) {
			err = fmt.Errorf("%w: find of %v", errWrong, twin[n].at)
		}
		must[i] = false
	}, func(e error) {
		done = true
		if err == nil {
			err = e
		}
		for i := range must {
			if err == nil && must[i] {
				err = fmt.Errorf("%w: %v is not found", errWrong, twin[numbers[i]].at)
			}
		}
	})
	return func() (bool, error) { return done, err }
}

// fillKeyed pushes rows with these keys, and returns a log that has none of them in
// memory.
func fillKeyed(t testing.TB, keys []u128.Uint128) (*ram, *Log) {
	const size = 86
	disk, l := newRAMLog(t, len(keys)*size*9/8+1<<20, 0, false)
	l.config.Key = testKey
	l.directory = newDirectory(l.shape, true)
	for i, key := range keys {
		key.PutBytes(l.Tail()[rowMin:])
		pushNumbered(l, size, uint64(i))
	}
	l.Flush()
	disk.run()
	disk.reads = 0
	return disk, l
}

func (r *ram) find(t testing.TB, l *Log, keys []u128.Uint128) (found int) {
	done := false
	l.Find(keys, func(int, Position, []byte) { found++ }, func(err error) { done = err == nil })
	r.run()
	if !done {
		t.Fatal("not done")
	}
	return found
}

// keysInOrder are those of clients that number ids within a millisecond up, from a
// random one on, and take turns.
func keysInOrder(rng *rand.Rand, n, perTurn, clients int) []u128.Uint128 {
	keys := make([]u128.Uint128, 0, n)
	for turn := 0; len(keys) < n; turn++ {
		key := u128.Uint128{Hi: uint64(turn/clients)<<16 | rng.Uint64()&0xffff, Lo: rng.Uint64()}
		for range min(perTurn, n-len(keys)) {
			key, _ = key.Add(u128.From64(1))
			keys = append(keys, key)
		}
	}
	return keys
}

func draw(rng *rand.Rand, keys []u128.Uint128, n int) []u128.Uint128 {
	drawn := make([]u128.Uint128, n)
	for i := range drawn {
		drawn[i] = keys[rng.IntN(len(keys))]
	}
	return drawn
}

// A key that ascends with time costs one read, whoever else there is. Keys of no
// order cost few in vain, and are soon not looked for any more.
func TestFindReads(t *testing.T) {
	const rows, asked, calls = 400_000, 500, 40
	rng := rand.New(rand.NewPCG(1, 1))
	random := func(n int) []u128.Uint128 {
		keys := make([]u128.Uint128, n)
		for i := range keys {
			keys[i] = u128.Uint128{Lo: rng.Uint64(), Hi: rng.Uint64()}
		}
		return keys
	}
	sprinkled := keysInOrder(rng, rows, 8189, 1)
	for i := 0; i < rows; i += 20 {
		sprinkled[i] = u128.Uint128{Lo: rng.Uint64(), Hi: rng.Uint64()}
		if i%2000 == 0 {
			sprinkled[i].Hi = 0
		}
	}
	jitter := make([]u128.Uint128, rows)
	for i := range jitter {
		jitter[i] = u128.Uint128{Hi: uint64(i + rng.IntN(10)), Lo: rng.Uint64()}
	}
	for _, c := range []struct {
		name        string
		keys        []u128.Uint128
		found, vain int // of 100 keys, at least and at most
	}{
		{"in order", keysInOrder(rng, rows, 8189, 1), 100, 0},
		{"eight clients", keysInOrder(rng, rows, 8189, 8), 80, 5},
		{"eight clients, small requests", keysInOrder(rng, rows, 100, 8), 70, 25},
		{"jitter", jitter, 90, 10},
		{"some of no order", sprinkled, 90, 5},
		{"as many after random ones", append(random(rows), keysInOrder(rng, rows, 8189, 1)...), 45, 5},
		{"random", random(rows), 0, 5},
	} {
		disk, l := fillKeyed(t, c.keys)
		found := 0
		for range calls {
			found += disk.find(t, l, draw(rng, c.keys[:l.flushed*len(c.keys)/(l.flushed+1)], asked))
		}
		vain := max(0, disk.reads-found)
		if found*100 < c.found*asked*calls || vain*100 > c.vain*asked*calls {
			t.Errorf("%s: %d of %d found by %d reads", c.name, found, asked*calls, disk.reads)
		}
	}
}

// Budget: 600 ns a key, reads included, of which the copy and the hash of its part
// are 500.
func BenchmarkFind(b *testing.B) {
	const rows, batch = 1_000_000, 8189
	rng := rand.New(rand.NewPCG(1, 1))
	keys := keysInOrder(rng, rows, 8189, 1)
	disk, l := fillKeyed(b, keys)
	for b.Loop() {
		if found := disk.find(b, l, draw(rng, keys[:rows/2], batch)); found != batch {
			b.Fatalf("%d found", found)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch, "ns/row")
}

// FenceCheck finds a fence that is too low or too high.
func TestFenceCheck(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 9))
	for _, wrong := range []int{0, -1, 1} {
		w := newWorld(t, 0, 8192)
		w.disorder = 50
		for range 300 {
			w.push(rng, 200)
		}
		w.log.Flush()
		w.disk.Run()
		w.log.directory.fencesOf(w.log.flushed / 2)[0] += byte(wrong)
		check, failure := w.log.NewFenceCheck(), error(nil)
		for _, row := range w.twin {
			if err := check.Row(row.at, row.bytes); failure == nil {
				failure = err
			}
		}
		if (failure == nil) != (wrong == 0) {
			t.Errorf("%+d: %v", wrong, failure)
		}
	}
}
