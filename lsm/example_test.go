package lsm_test

import (
	"fmt"
	"math/rand/v2"

	"github.com/ledgerd/ledgerd/lsm"
	"github.com/ledgerd/ledgerd/vsr/faultdisk"
	"github.com/ledgerd/ledgerd/vsr/grid"
)

// loop is the smallest owner of a tree: it completes disk requests and runs
// jobs itself, one at a time.
type loop struct {
	disk *faultdisk.Disk
	jobs []func()
}

func (l *loop) Go(job, done func()) { l.jobs = append(l.jobs, func() { job(); done() }) }

func (l *loop) run() {
	for l.disk.Step() || len(l.jobs) > 0 {
		if len(l.jobs) > 0 {
			job := l.jobs[0]
			l.jobs = l.jobs[1:]
			job()
		}
	}
}

// An index of accounts by a code: the key is (code, position), and there is no
// value to speak of.
func ExampleTree() {
	l := &loop{disk: faultdisk.New(rand.New(rand.NewPCG(1, 2)))}
	blocks := grid.New(l.disk, grid.Config{BlockSize: 64 << 10, Fault: func(err error) { panic(err) }})
	config := lsm.Config{
		Name: "accounts by code", Kind: 5, Words: 2, Tiered: true,
		MemtableEntries: 1 << 10, BeatEntries: 1 << 8, PageSize: lsm.PageSizeDefault,
	}
	tree := lsm.New(blocks, l, config)
	check := func(err error) {
		if err != nil {
			fmt.Println(err)
		}
	}
	for op := range uint64(100) {
		for i := range uint64(100) {
			position := op*100 + i
			tree.Put(lsm.Key{position % 1000, position}, 0)
		}
		tree.Beat((op+1)*100, check)
		l.run() // the next op begins when Beat is done
	}
	tree.Checkpoint(check)
	l.run()
	state := tree.AppendState(nil)

	again := lsm.New(blocks, l, config)
	check(again.Open(state))
	for position := again.Mark(); position < 10_000; position++ {
		again.Refill(lsm.Key{position % 1000, position}, 0)
	}
	check(again.Refilled())
	r := lsm.Range{Min: lsm.Key{7}, Max: lsm.Key{7, 1 << 63}, Descending: true}
	again.Scan(r, 3, nil, func(entries []lsm.Entry, err error) {
		check(err)
		for _, e := range entries {
			fmt.Println("code", e.Key[0], "at", e.Key[1])
		}
	})
	l.run()
	// Output:
	// code 7 at 9007
	// code 7 at 8007
	// code 7 at 7007
}
