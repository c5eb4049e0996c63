package vsr

import (
	"math/bits"

	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/wire"
)

// vote is one replica's log as its join_view tells of it.
type vote struct {
	valid    bool
	logView  View
	head     Op
	checksum checksum.Sum // of the head
	commit   Op           // an op known to be committed
	// checkpoint is the last op of its checkpoint: ops up to it may be forgotten.
	checkpoint Op
	// headers are the last ones of the log, of consecutive ops up to the head;
	// one that is not known is zero. There are none if the log ends with the
	// checkpoint. All that may be uncommitted are among them.
	headers []wire.Prepare
	present uint64 // a bit for each of headers: the record can be read
}

// at returns the header of op, or nil, and whether its record can be read.
func (v *vote) at(op Op) (header *wire.Prepare, present bool) {
	i := int(op) - (int(v.head) - len(v.headers) + 1)
	if op > v.head || i < 0 || v.headers[i].Command == wire.CommandReserved {
		return nil, false
	}
	return &v.headers[i], v.present>>i&1 == 1
}

// lastView returns the view of the last header, if it is known.
func (v *vote) lastView() View {
	header, _ := v.at(v.head)
	if header == nil {
		return 0
	}
	return View(header.View)
}

// nacks reports whether the vote proves that its replica never acknowledged
// this op in a way that counts: its log has something else there, or nothing.
// A record that is known to have been there, and is not known to have been
// another one, is no proof.
func (v *vote) nacks(op Op, sum checksum.Sum) bool {
	if op > v.head {
		return true
	}
	header, _ := v.at(op)
	return header != nil && header.Checksum != sum
}

// canonical is the log with which a view begins.
type canonical struct {
	head     Op
	checksum checksum.Sum
	commit   Op
	headers  []wire.Prepare // known ones, consecutive, up to the head
}

// chooseLog finds the log that the votes permit, as docs/REPLICATION.md section
// 4 says. It reports false if more votes are needed: of so many that one of them
// is of any replication quorum, and, with the amnesiacs, who have left the older
// views like the others and can tell of no log, so many that a view can begin.
func chooseLog(votes []vote, amnesiacs uint8, replicaCount uint8) (log canonical, ok bool) {
	count, logView := 0, View(0)
	for i := range votes {
		if v := &votes[i]; v.valid {
			count++
			amnesiacs &^= 1 << i
			log.commit = max(log.commit, v.commit)
			logView = max(logView, v.logView)
		}
	}
	if count < quorumNack(replicaCount) || count+bits.OnesCount8(amnesiacs) < quorumViewChange(replicaCount) {
		return log, false
	}
	var best *vote
	for i := range votes {
		v := &votes[i]
		if v.valid && v.logView == logView && v.head >= log.commit && (best == nil || v.beats(best)) {
			best = v
		}
	}
	if best == nil {
		return log, false // who has what is committed has yet to vote
	}
	log.head, log.checksum, log.headers = best.head, best.checksum, nil
	for op := log.commit + 1; op <= best.head; op++ {
		switch judgeOp(votes, best, op, replicaCount) {
		case opUnknown:
			return log, false
		case opUncommitted:
			log.head, log.checksum = op-1, parentOf(best, op)
			log.take(votes, best)
			return log, true
		}
	}
	log.take(votes, best)
	return log, true
}

// beats reports whether v's log goes before that of w, which has the same
// log_view: the view of the last header decides, then the length. That header is
// not known of a log which ends with a checkpoint. But all of such a log is
// committed: only one that continues it goes before it.
func (v *vote) beats(w *vote) bool {
	switch {
	case len(v.headers) == 0:
		return !w.continues(v)
	case len(w.headers) == 0:
		return v.continues(w)
	case v.lastView() != w.lastView():
		return v.lastView() > w.lastView()
	}
	return v.head > w.head
}

// continues reports whether v's log begins with all of w's.
func (v *vote) continues(w *vote) bool {
	return v.head >= w.head && checksumOf(v, w.head) == w.checksum
}

type opVerdict uint8

const (
	opPresent opVerdict = iota
	opUncommitted
	opUnknown
)

// judgeOp decides about one op of the best log that may be uncommitted.
func judgeOp(votes []vote, best *vote, op Op, replicaCount uint8) opVerdict {
	sum, nacks := checksumOf(best, op), 0
	for i := range votes {
		v := &votes[i]
		if !v.valid {
			continue
		}
		if header, present := v.at(op); present && header.Checksum == sum {
			return opPresent
		}
		if v.nacks(op, sum) {
			nacks++
		}
	}
	if nacks >= quorumNack(replicaCount) {
		return opUncommitted
	}
	return opUnknown
}

// checksumOf returns the checksum of an op in a log: it is in its own header or
// in its successor's.
func checksumOf(v *vote, op Op) checksum.Sum {
	if header, _ := v.at(op); header != nil {
		return header.Checksum
	}
	if op == v.head {
		return v.checksum
	}
	return parentOf(v, op+1)
}

// parentOf returns the checksum of the op before op, zero if it is not known.
func parentOf(v *vote, op Op) checksum.Sum {
	if header, _ := v.at(op); header != nil {
		return header.Parent
	}
	if header, _ := v.at(op - 1); header != nil {
		return header.Checksum
	}
	return checksum.Sum{}
}

// take collects the headers of the best log up to the chosen head. Those that
// it has lost are in a vote that has the record.
func (log *canonical) take(votes []vote, best *vote) {
	for op := best.head - Op(len(best.headers)) + 1; op <= log.head; op++ {
		found := false
		for i := range votes {
			if header, _ := votes[i].at(op); votes[i].valid && header != nil && header.Checksum == checksumOf(best, op) {
				log.headers = append(log.headers, *header)
				found = true
				break
			}
		}
		if !found {
			log.headers = log.headers[:0] // it is committed: its headers are asked for
		}
	}
}
