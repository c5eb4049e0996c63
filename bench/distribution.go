package bench

import (
	"math"
	"math/rand/v2"
)

// Distribution says which accounts the transfers of a workload are between. It
// decides how much of the accounts a server has to keep at hand, and how often
// it meets the same one twice in a batch.
type Distribution string

// The distributions. The two accounts of a transfer always differ.
const (
	DistributionUniform Distribution = "uniform" // all alike
	DistributionZipfian Distribution = "zipfian" // few often, most seldom: the k-th most wanted in proportion to 1/k^0.99
	DistributionHot     Distribution = "hot"     // one account is debited by every transfer; the others are credited alike
)

// zipfExponent is how unequal a zipfian distribution is. It is what YCSB, a
// benchmark of stores, made customary; with 10,000 accounts the first has a
// tenth of all transfers.
const zipfExponent = 0.99

// pairs draws the accounts of transfers, as numbers in 0 .. accounts-1.
type pairs struct {
	distribution Distribution
	accounts     uint64
	zipf         zipf
}

func newPairs(w Workload) pairs {
	p := pairs{distribution: w.Distribution, accounts: uint64(w.Accounts)}
	if p.distribution == DistributionZipfian {
		p.zipf = newZipf(p.accounts)
	}
	return p
}

// next draws two accounts that differ. It may draw further from random.
func (p *pairs) next(draw uint64, random *rand.PCG) (debit, credit uint64) {
	if p.distribution == DistributionZipfian {
		debit = p.zipf.next(random)
		for credit = debit; credit == debit; {
			credit = p.zipf.next(random)
		}
		return p.scatter(debit), p.scatter(credit)
	}
	if p.distribution == DistributionUniform {
		debit = draw >> 32 * p.accounts >> 32
	}
	credit = draw & (1<<32 - 1) * (p.accounts - 1) >> 32
	if credit >= debit {
		credit++
	}
	return debit, credit
}

// scatter maps ranks to accounts, one to one, so that accounts of like rank are
// seldom neighbours. It is one to one because a prime above AccountsMax has no
// divisor in common with their number; the product fits 64 bits.
func (p *pairs) scatter(rank uint64) uint64 {
	const prime = 1<<32 - 5
	return rank * prime % p.accounts
}

// zipf draws ranks k in 1 .. n with a chance in proportion to k^-zipfExponent,
// exactly, by rejection from the inverse of the integral of that function
// (Hörmann and Derflinger, "Rejection-inversion to generate variates from
// monotone discrete distributions", 1996). It needs no table, and one logarithm
// and one exponential for most draws.
type zipf struct {
	last      float64 // n
	low, high float64 // range of the integral that is drawn from
	surely    float64 // by how much a rank may exceed what it was rounded from and need no test
}

func newZipf(n uint64) zipf {
	return zipf{
		last:   float64(n),
		low:    zipfIntegral(1.5) - zipfWeight(1), // so that rank 1 needs no test
		high:   zipfIntegral(float64(n) + 0.5),
		surely: 2 - zipfInverse(zipfIntegral(2.5)-zipfWeight(2)), // the least of all ranks from 2 on
	}
}

// next draws a rank, less one.
func (z *zipf) next(random *rand.PCG) uint64 {
	for {
		u := z.low + (z.high-z.low)*(float64(random.Uint64()>>11)/(1<<53))
		x := zipfInverse(u)
		k := min(max(math.Floor(x+0.5), 1), z.last)
		if k-x <= z.surely || u >= zipfIntegral(k+0.5)-zipfWeight(k) {
			return uint64(k) - 1
		}
	}
}

func zipfWeight(k float64) float64 { return math.Exp(-zipfExponent * math.Log(k)) }

// zipfIntegral is the integral of zipfWeight from 1 to x.
func zipfIntegral(x float64) float64 {
	return math.Expm1((1-zipfExponent)*math.Log(x)) / (1 - zipfExponent)
}

// zipfInverse is the inverse of zipfIntegral.
func zipfInverse(y float64) float64 {
	return math.Exp(math.Log1p(y*(1-zipfExponent)) / (1 - zipfExponent))
}
