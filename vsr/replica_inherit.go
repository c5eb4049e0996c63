package vsr

import (
	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/wire"
)

// readyToLead takes the log into the pipeline, once what is known to be committed
// is executed. It reports true when all of that is done.
//
// Execution may wait for others to have a checkpoint, and they for this view to
// begin, in which they would come to have it: then what is committed and not
// executed is taken into the pipeline as well, and the view begins with as much of
// the log as there is room for.
func (r *Replica) readyToLead() bool {
	waits := r.commit.made != nil
	if r.group.inheriting || !waits && (r.commit.stage != stageIdle || r.commitMin < min(r.commitMax, r.head.op)) {
		return false
	}
	if p := &r.pipeline; p.count > 0 && p.first != r.commitMin+1 {
		p.clear()
	}
	if r.pipelined() == r.head.op || waits && r.pipeline.full() {
		return true
	}
	r.inheritNext()
	return false
}

// pipelined returns the op up to which the log is executed or in the pipeline of
// the primary: all of it in the end.
func (r *Replica) pipelined() Op { return r.commitMin + Op(r.pipeline.count) }

// takesOver reports whether this replica leads, and does not have all of the log in
// its pipeline yet. It does not know which requests are pending until it has.
func (r *Replica) takesOver() bool { return r.leads() && r.pipelined() < r.head.op }

// inheritNext reads the next prepare of the log into the pipeline, if there is
// room.
func (r *Replica) inheritNext() {
	op, view := r.pipelined()+1, r.group.entering
	sum, ok := r.checksumAt(op)
	if r.group.inheriting || r.pipeline.full() || !ok || !r.journal.Readable(uint64(op), sum) || !r.journal.CanRead() {
		return
	}
	before := r.commit.stage == stageIdle && !r.leads()
	if before {
		r.commit.stage = stageRead // nothing is executed meanwhile
	}
	r.group.inheriting = true
	r.journal.Read(uint64(op), func(message *buffer.Buffer, err error) {
		r.group.inheriting = false
		if before {
			r.commit.stage = stageIdle
		}
		if err != nil {
			return
		}
		var header wire.Prepare
		if header.Decode(message.Bytes) == nil && r.group.entering == view && op == r.pipelined()+1 && !r.pipeline.full() {
			r.pipeline.push(prepared{header: header, message: message.Retain()})
			if r.leads() {
				r.inherit(r.pipeline.at(op))
			}
		}
		message.Release()
	})
}

// inheritAll takes over the prepares of former primaries that are not executed, as
// far as they are in the pipeline. Time has come as far as the last of the log.
func (r *Replica) inheritAll() {
	if header, ok := r.journal.Find(uint64(r.head.op)); ok {
		r.timestamp = max(r.timestamp, header.Timestamp)
	}
	for op := r.commitMin + 1; op <= r.pipelined(); op++ {
		r.inherit(r.pipeline.at(op))
	}
}

// inherit takes over a prepare: the clients of its requests have one pending.
func (r *Replica) inherit(entry *prepared) {
	entry.acks = 1 << r.root.Replica
	for request := range entry.header.Requests(entry.message.Bytes[wire.HeaderSize:]) {
		if request.Operation == wire.OperationPulse {
			r.pulse = Op(entry.header.Op)
			continue
		}
		r.requests.pending[request.Client] = request.RequestChecksum
	}
}
