package bench

import (
	"math"
	"math/rand/v2"
	"testing"
)

// count returns how often each of the accounts is debited and credited in so
// many transfers.
func count(t *testing.T, w Workload, transfers int) (debits, credits []int) {
	debits, credits = make([]int, w.Accounts), make([]int, w.Accounts)
	p, random := newPairs(w), rand.NewPCG(1, 2)
	for range transfers {
		debit, credit := p.next(random.Uint64(), random)
		if debit == credit {
			t.Fatalf("from account %d to itself", debit)
		}
		debits[debit]++
		credits[credit]++
	}
	return debits, credits
}

// near reports whether a count is within five standard deviations of its mean.
func near(got int, mean float64) bool { return math.Abs(float64(got)-mean) <= 5*math.Sqrt(mean)+1 }

func TestHotAccountIsDebitedAlways(t *testing.T) {
	const accounts, transfers = 10, 90_000
	debits, credits := count(t, Workload{Accounts: accounts, Distribution: DistributionHot}, transfers)
	if debits[0] != transfers || credits[0] != 0 {
		t.Errorf("the hot account is debited %d and credited %d times", debits[0], credits[0])
	}
	for i := 1; i < accounts; i++ {
		if !near(credits[i], transfers/(accounts-1)) {
			t.Errorf("account %d is credited %d times", i, credits[i])
		}
	}
}

// TestZipfianIsZipfian compares with the definition, summed up: the twin that
// zipf is a shortcut for. Ranks are compared one by one where they come often,
// and all by octaves. Three ranks are drawn more often: without the rejections
// the second would come 1.4 % too often.
func TestZipfianIsZipfian(t *testing.T) {
	for accounts, draws := range map[int]int{2: 200_000, 3: 2_000_000, 1000: 200_000, 50_000: 200_000} {
		transfers := float64(draws)
		w := Workload{Accounts: accounts, Distribution: DistributionZipfian}
		debits := make([]int, accounts)
		z, random := newPairs(w).zipf, rand.NewPCG(3, 4)
		for range draws {
			debits[z.next(random)]++
		}
		weight := 0.0
		for k := 1; k <= accounts; k++ {
			weight += math.Pow(float64(k), -zipfExponent)
		}
		octave, octaveMean := 0, 0.0
		for k := 1; k <= accounts; k++ {
			got, mean := debits[k-1], transfers*math.Pow(float64(k), -zipfExponent)/weight
			if mean > 100 && !near(got, mean) {
				t.Errorf("of %d ranks %d comes %d times, want about %.0f", accounts, k, got, mean)
			}
			octave, octaveMean = octave+got, octaveMean+mean
			if k&(k+1) == 0 || k == accounts {
				if !near(octave, octaveMean) {
					t.Errorf("of %d ranks those up to %d come %d times, want about %.0f", accounts, k, octave, octaveMean)
				}
				octave, octaveMean = 0, 0
			}
		}
	}
}

func TestZipfianPairs(t *testing.T) {
	const transfers = 50_000
	for _, accounts := range []int{2, 10, 1000} {
		w := Workload{Accounts: accounts, Distribution: DistributionZipfian}
		debits, credits := count(t, w, transfers)
		p, ranks := newPairs(w), make(map[uint64]bool)
		for rank := range accounts {
			ranks[p.scatter(uint64(rank))] = true
		}
		if first := p.scatter(0); len(ranks) != accounts || debits[first] < transfers/20 || credits[first] < transfers/20 {
			t.Errorf("%d ranks are %d accounts, the first is debited %d and credited %d times",
				accounts, len(ranks), debits[first], credits[first])
		}
	}
}

// TestScatterPartsNeighbours holds at the largest number of accounts, where
// only the bounds can be tried.
func TestScatterPartsNeighbours(t *testing.T) {
	p := pairs{accounts: AccountsMax}
	last := p.scatter(AccountsMax - 1)
	if last >= AccountsMax || p.scatter(0) != 0 || p.scatter(1)+1 == p.scatter(2) {
		t.Errorf("ranks 1, 2 and the last are accounts %d, %d and %d", p.scatter(1), p.scatter(2), last)
	}
}
