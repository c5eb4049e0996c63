package sim

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/buffer"
)

// fixedSeeds is how many seeds every test run tries. For more:
//
//	go run ./cmd/ledgersim --duration 10m
const fixedSeeds = 60

// TestSeeds runs a fixed set of seeds, which together must meet everything
// that can happen.
func TestSeeds(t *testing.T) {
	var totals Totals
	for seed := range uint64(fixedSeeds) {
		result := Run(seed, nil)
		if result.Err != nil {
			t.Errorf("seed %d failed %v\ngo run ./cmd/ledgersim --verbose --seed %d", seed, result.Err, seed)
		}
		totals.Add(result.Totals)
	}
	t.Logf("%+v", totals)
	if totals.Requests == 0 || totals.Replayed == 0 || totals.Answers == 0 || totals.Evictions == 0 ||
		totals.Crashes == 0 || totals.Failures == 0 || totals.Checkpoints == 0 || totals.Syncs == 0 {
		t.Error("something never happened")
	}
}

// TestRegressions runs the seeds that once failed.
func TestRegressions(t *testing.T) {
	content, err := os.ReadFile("testdata/seeds.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(content)) {
		text, why, _ := strings.Cut(strings.TrimSpace(line), " ")
		if text == "" || text[0] == '#' {
			continue
		}
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if result := Run(seed, nil); result.Err != nil {
			t.Errorf("seed %d (%s) failed %v", seed, why, result.Err)
		}
	}
}

// TestEqualSeeds proves that a seed repeats, and that seeds differ.
func TestEqualSeeds(t *testing.T) {
	for seed := range uint64(5) {
		one, two := Run(seed, nil), Run(seed, func(string) {})
		if fmt.Sprint(one) != fmt.Sprint(two) {
			t.Errorf("seed %d: %+v, then %+v", seed, one, two)
		}
	}
	if Run(1, nil).Fingerprint == Run(2, nil).Fingerprint {
		t.Error("two seeds give one run")
	}
}

// TestLyingDisks proves that the checkers see what a replica cannot: disks that
// say that something is durable when it is not.
func TestLyingDisks(t *testing.T) {
	for name, lie := range map[string]func(*blockio.Request){
		"writes are not durable": func(r *blockio.Request) { r.Durable = false },
		"syncs do nothing": func(r *blockio.Request) {
			if r.Kind == blockio.Sync {
				*r = blockio.Request{Kind: blockio.Read, Buf: buffer.Aligned(blockio.SectorSize), Done: r.Done}
			}
		},
	} {
		caught := uint64(0)
		for ; caught < 300; caught++ {
			s := newSimulation(caught, nil)
			s.lie = lie
			if s.run(); s.err != nil {
				t.Logf("%s: seed %d: %.200s", name, caught, s.err)
				break
			}
		}
		if caught == 300 {
			t.Errorf("%s: not seen", name)
		}
	}
}
