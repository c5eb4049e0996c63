package vsr

import (
	"math/rand/v2"
	"testing"
	"time"
)

// The agreed interval is one that the most intervals have in common: compared
// with a count at every edge.
func TestAgree(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		intervals := make([]interval, random.IntN(7))
		for i := range intervals {
			low := random.Int64N(20)
			intervals[i] = interval{low, low + random.Int64N(8)}
		}
		within := func(x int64) (count int) {
			for _, i := range intervals {
				if i.low <= x && x <= i.high {
					count++
				}
			}
			return count
		}
		want := 0
		for x := range int64(30) {
			want = max(want, within(x))
		}
		got, most := agree(intervals)
		if most != want || most > 0 && (within(got.low) != want || within(got.high) != want || got.low > got.high) {
			t.Fatalf("%v: %d agree on %v, want %d", intervals, most, got, want)
		}
	}
}

// A clock among three is right as long as one other agrees with it; it is moved
// to the other two if it is the odd one; and without an answer it is nothing.
func TestClockCorrection(t *testing.T) {
	const hour, second = int64(time.Hour), int64(time.Second)
	for name, c := range map[string]struct {
		offsets []int64 // of replicas 1 and 2
		low, ok bool
	}{
		"nobody answers":    {nil, false, false},
		"one agrees":        {[]int64{second}, false, true},
		"one disagrees":     {[]int64{hour}, false, false},
		"one of two agrees": {[]int64{hour, -second}, false, true},
		"the odd one":       {[]int64{hour, hour + second}, true, true},
		"three opinions":    {[]int64{hour, 2 * hour}, false, false},
	} {
		var k clock
		now := uint64(100 * hour)
		k.tick(now)
		for i, offset := range c.offsets {
			k.measure(uint8(i+1), now-1000, now-500+uint64(offset), now, 1)
		}
		move, ok := k.correction(0, 3, 2)
		if ok != c.ok {
			t.Errorf("%s: agreed is %v", name, ok)
		}
		if right := move > hour-2*clockTolerance && move < hour+2*clockTolerance; ok && right != c.low {
			t.Errorf("%s: moved by %v", name, time.Duration(move))
		}
		if _, ok := k.correction(0, 3, 2+sampleTicks); ok {
			t.Errorf("%s: answers count for ever", name)
		}
		k.tick(now + uint64(2*clockJump))
		if _, ok := k.correction(0, 3, 2); ok {
			t.Errorf("%s: answers count after the own clock has jumped", name)
		}
	}
}

// A slow answer does not replace a quick one.
func TestClockKeepsTheBestAnswer(t *testing.T) {
	var k clock
	k.measure(1, 1000, 1500, 2000, 1)
	k.measure(1, 1000, 9000, 9000, 2)
	if k.samples[1].margin != 500+tickError {
		t.Errorf("margin %d", k.samples[1].margin)
	}
	k.measure(1, 9000, 9000, 8000, 3)
	if k.samples[1].at != 1 {
		t.Error("an answer from the future counts")
	}
}
