package bench

import (
	"fmt"
	"slices"
	"strings"
)

// IDOrder is the order in which the ids of transfers arrive. It decides how
// hard an index over them has to work.
type IDOrder string

// The orders of ids.
const (
	IDTimeOrdered IDOrder = "time-ordered" // like the official clients': milliseconds above, random below, rising
	IDSequential  IDOrder = "sequential"   // 1, 2, 3, …
	IDReversed    IDOrder = "reversed"     // falling from 2^64-1
	IDRandom      IDOrder = "random"       // 128 random bits
)

// Phase says what the transfers of a workload do.
type Phase string

// The phases.
const (
	PhaseSingle  Phase = "single"    // every transfer posts its amount
	PhasePending Phase = "pending"   // every transfer reserves its amount, for ever
	PhaseTwo     Phase = "two-phase" // batches that reserve and batches that post those take turns
	PhaseLinked  Phase = "linked"    // as single, in chains of four that succeed or fail together
)

// chainLength is how many transfers of PhaseLinked make a chain.
const chainLength = 4

// reserves reports whether transfers of the phase, those that post aside, do
// not move their amounts.
func (p Phase) reserves() bool { return p == PhasePending || p == PhaseTwo }

// Bounds of a workload.
const (
	TransferBatchMax = 8189    // what fits one message of the default size
	ClientsMax       = 1024    // sessions of a server
	AccountsMax      = 1 << 28 // ids and amounts are drawn with 32-bit arithmetic
	RateMax          = 1e9     // one transfer a nanosecond, the clock's unit
	ReplicasMax      = 6       // replicas of a cluster
)

// Workload says what Run sends. It is data: equal workloads with equal seeds
// send equal accounts, amounts and, but for a prefix per run, ids.
type Workload struct {
	Name         string       `json:"name"`
	Accounts     int          `json:"account_count"` // at least 2
	Distribution Distribution `json:"account_distribution"`
	WarmUp       int          `json:"warm_up_count"`       // transfers before the clock starts, over all clients
	Expiring     int          `json:"expiring_count"`      // reservations made before the clock starts, which all expire within a second while it runs
	Transfers    int          `json:"transfer_count"`      // over all clients
	Batch        int          `json:"transfer_batch_size"` // transfers in one request, 1 .. TransferBatchMax
	Clients      int          `json:"clients"`             // each with a connection and one request in flight
	Rate         int          `json:"transfer_rate"`       // transfers a second that fall due, over all clients; 0 is as many as are answered
	IDOrder      IDOrder      `json:"id_order"`
	Phase        Phase        `json:"phase"`
	UserData     int          `json:"user_data_every"` // of so many transfers one has a user_data_64, which it shares with nine others; 0 is none
	Queries      int          `json:"query_count"`     // queries of each Question after the transfers, one at a time
	Seed         uint64       `json:"seed"`
	Replicas     int          `json:"replica_count"` // of the server, if it is the benchmark's own, 1 .. ReplicasMax
	ReplicasDown int          `json:"replicas_down"` // of these are never started
}

// share returns how many of a count are a client's.
func (w Workload) share(count, client int) int {
	share := count / w.Clients
	if client < count%w.Clients {
		share++
	}
	return share
}

// Validate reports the first field that is out of its range.
func (w Workload) Validate() error {
	switch {
	case w.Accounts < 2 || w.Accounts > AccountsMax:
		return fmt.Errorf("bench: account count %d is not in 2 .. %d", w.Accounts, AccountsMax)
	case w.WarmUp < 0:
		return fmt.Errorf("bench: warm-up count %d is negative", w.WarmUp)
	case w.Expiring < 0:
		return fmt.Errorf("bench: expiring count %d is negative", w.Expiring)
	case w.Transfers < 0:
		return fmt.Errorf("bench: transfer count %d is negative", w.Transfers)
	case w.Batch < 1 || w.Batch > TransferBatchMax:
		return fmt.Errorf("bench: transfer batch size %d is not in 1 .. %d", w.Batch, TransferBatchMax)
	case w.Clients < 1 || w.Clients > ClientsMax:
		return fmt.Errorf("bench: client count %d is not in 1 .. %d", w.Clients, ClientsMax)
	case w.Rate < 0 || w.Rate > RateMax:
		return fmt.Errorf("bench: rate %d is not in 0 .. %d", w.Rate, int(RateMax))
	case w.Replicas < 1 || w.Replicas > ReplicasMax:
		return fmt.Errorf("bench: replica count %d is not in 1 .. %d", w.Replicas, ReplicasMax)
	case w.ReplicasDown < 0 || w.ReplicasDown >= w.Replicas:
		return fmt.Errorf("bench: %d of %d replicas down", w.ReplicasDown, w.Replicas)
	case w.UserData < 0:
		return fmt.Errorf("bench: user data for one in %d transfers", w.UserData)
	case w.Queries < 0:
		return fmt.Errorf("bench: query count %d is negative", w.Queries)
	case !slices.Contains([]Distribution{DistributionUniform, DistributionZipfian, DistributionHot}, w.Distribution):
		return fmt.Errorf("bench: unknown account distribution %q", w.Distribution)
	case !slices.Contains([]IDOrder{IDTimeOrdered, IDSequential, IDReversed, IDRandom}, w.IDOrder):
		return fmt.Errorf("bench: unknown id order %q", w.IDOrder)
	case !slices.Contains([]Phase{PhaseSingle, PhasePending, PhaseTwo, PhaseLinked}, w.Phase):
		return fmt.Errorf("bench: unknown phase %q", w.Phase)
	case w.Phase == PhaseLinked && w.Batch < chainLength:
		return fmt.Errorf("bench: transfer batch size %d has no room for a chain of %d", w.Batch, chainLength)
	}
	return nil
}

// plain is the first workload, from which the others differ.
var plain = Workload{
	Name: "plain", Accounts: 10_000, Distribution: DistributionUniform,
	Transfers: 5_000_000, Batch: TransferBatchMax, Clients: 1,
	IDOrder: IDTimeOrdered, Phase: PhaseSingle, Queries: 100, Seed: 1, Replicas: 1,
}

// Workloads returns the named workloads: those by which the project measures
// itself, in the order of its tables.
func Workloads() []Workload {
	vary := func(name string, change func(*Workload)) Workload {
		w := plain
		w.Name = name
		change(&w)
		return w
	}
	single := func(name string, clients, transfers int) Workload {
		return vary(name, func(w *Workload) { w.Batch, w.Clients, w.Transfers = 1, clients, transfers })
	}
	return []Workload{
		plain,
		vary("random-ids", func(w *Workload) { w.IDOrder = IDRandom }),
		vary("pending", func(w *Workload) { w.Phase = PhasePending }),
		vary("two-phase", func(w *Workload) { w.Phase = PhaseTwo }),
		vary("linked", func(w *Workload) { w.Phase = PhaseLinked }),
		vary("expiring", func(w *Workload) { w.Expiring = 1_000_000 }),
		vary("zipfian", func(w *Workload) { w.Distribution = DistributionZipfian }),
		vary("hot-account", func(w *Workload) { w.Distribution = DistributionHot }),
		vary("million-accounts", func(w *Workload) { w.Accounts = 1_000_000 }),
		vary("hundred-million", func(w *Workload) {
			w.Accounts, w.Transfers, w.UserData = 1_000_000, 100_000_000, 10
		}),
		vary("batch-100", func(w *Workload) { w.Batch, w.Clients, w.Transfers = 100, 8, 1_000_000 }),
		single("single-1", 1, 40_000),
		single("single-8", 8, 100_000),
		single("single-32", 32, 200_000),
		single("single-60", 60, 200_000),
		vary("three-replicas", func(w *Workload) { w.Replicas = 3 }),
		vary("two-of-three-replicas", func(w *Workload) { w.Replicas, w.ReplicasDown = 3, 1 }),
	}
}

// FindWorkload returns the workload of that name, or an error that lists the
// names there are.
func FindWorkload(name string) (Workload, error) {
	var names []string
	for _, w := range Workloads() {
		if w.Name == name {
			return w, nil
		}
		names = append(names, w.Name)
	}
	return Workload{}, fmt.Errorf("bench: no workload %q; there are %s", name, strings.Join(names, ", "))
}
