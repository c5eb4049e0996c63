package bench

import "github.com/ledgerd/ledgerd/ledger"

// markMatches is how many transfers share a user_data_64.
const markMatches = 10

// marks gives some of one client's transfers a user_data_64, and remembers ids
// of transfers to look up.
//
// The transfers of one value lie evenly spread over the run.
type marks struct {
	every  int    // of how many transfers one is marked; 0 is none
	base   uint64 // what the client's values begin at
	values uint64 // how many there are
	marked uint64 // transfers so far

	stride int // of how many transfers one id is kept
	kept   []ledger.Uint128
	seen   int // transfers so far
}

// newMarks returns the marks of a client that will make so many transfers.
func newMarks(w Workload, client, transfers int) marks {
	m := marks{every: w.UserData, base: uint64(client) << 40, values: 1}
	if m.every > 0 {
		m.values = max(1, uint64(transfers/m.every/markMatches))
	}
	if wanted := w.Queries * TransferBatchMax / w.Clients; wanted > 0 {
		m.stride = max(1, transfers/wanted)
		m.kept = make([]ledger.Uint128, 0, transfers/m.stride+1)
	}
	return m
}

// mark changes the next batch of the client.
func (m *marks) mark(batch []ledger.Transfer) {
	if m.every > 0 {
		for i := m.next(m.every); i < len(batch); i += m.every {
			batch[i].UserData64 = m.base + m.marked%m.values + 1
			m.marked++
		}
	}
	if m.stride > 0 {
		for i := m.next(m.stride); i < len(batch); i += m.stride {
			m.kept = append(m.kept, batch[i].ID)
		}
	}
	m.seen += len(batch)
}

// next returns the index in the next batch of the first transfer whose number
// is a multiple of n.
func (m *marks) next(n int) int { return (n - m.seen%n) % n }
