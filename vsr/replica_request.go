package vsr

import (
	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/wire"
)

// verdict is what becomes of a request on arrival.
type verdict uint8

const (
	ignore verdict = iota
	accept
	resend
	evict
)

// OnMessage handles one frame from the bus: checksums, size and cluster have
// been verified, nothing else. The caller keeps its reference.
func (r *Replica) OnMessage(message *buffer.Buffer) {
	switch r.status {
	case statusOpening, statusReplay:
		return
	case statusSyncing:
		r.onMessageSyncing(message)
		return
	}
	switch wire.CommandOf(message.Bytes) {
	case wire.CommandRequest:
		r.onRequest(message)
	case wire.CommandPingClient:
		r.onPingClient(message.Bytes)
	case wire.CommandPrepare:
		r.onPrepare(message)
	default:
		r.onPeer(message)
	}
}

// onRequest handles a request as PROTOCOL.md section 8 says.
func (r *Replica) onRequest(message *buffer.Buffer) {
	var header wire.Request
	if header.Decode(message.Bytes) != nil || View(header.View) > r.view {
		return
	}
	if !r.leads() {
		if r.status == statusNormal && r.group.forwarded < forwardMax {
			r.group.forwarded++
			r.options.Peers.SendToReplica(r.primaryOf(r.view), message)
		}
		return
	}
	if r.takesOver() {
		return // it may be a copy of one that is pending; the client asks again
	}
	body := message.Bytes[wire.HeaderSize:]
	slots, reason := r.judge(&header, body)
	if reason != 0 {
		r.sendEviction(header.Client, reason)
		return
	}
	switch outcome, reason := r.admit(&header); outcome {
	case evict:
		r.sendEviction(header.Client, reason)
	case resend:
		r.resendReply(r.sessions.find(header.Client))
	case accept:
		r.requests.push(request{header: header, slots: slots, message: message.Retain()})
	}
}

// judge applies the rules that need no session (PROTOCOL.md section 8, rules 4
// to 9). A reason other than 0 evicts the client.
func (r *Replica) judge(header *wire.Request, body []byte) (slots int, reason wire.EvictionReason) {
	switch {
	case header.Release < r.options.ReleaseClientMin:
		return 0, wire.EvictionClientReleaseTooLow
	case header.Release > r.options.Release:
		return 0, wire.EvictionClientReleaseTooHigh
	case int(header.Size) > r.requestSizeMax:
		return 0, wire.EvictionInvalidRequestBodySize
	case header.Operation == wire.OperationRegister:
		return 0, judgeRegister(body)
	case header.Operation < wire.OperationStateMachineMin:
		// Operations of the protocol itself that clients have no use for.
		return 0, wire.EvictionInvalidRequestOperation
	}
	slots, known, valid := r.machine.Check(byte(header.Operation), body, r.requestSizeMax-wire.HeaderSize)
	switch {
	case !known:
		return 0, wire.EvictionInvalidRequestOperation
	case !valid:
		return 0, wire.EvictionInvalidRequestBody
	}
	return slots, 0
}

func judgeRegister(body []byte) wire.EvictionReason {
	if len(body) == 0 {
		return wire.EvictionInvalidRequestBodySize
	}
	for _, b := range body {
		if b != 0 {
			return wire.EvictionInvalidRequestBody
		}
	}
	return 0
}

// admit applies the rules of sessions and of the pipeline (PROTOCOL.md section
// 8, rules 11 to 20).
func (r *Replica) admit(header *wire.Request) (verdict, wire.EvictionReason) {
	entry := r.sessions.find(header.Client)
	if entry == nil {
		if header.Operation != wire.OperationRegister {
			if r.requests.isPending(header.Client) {
				return ignore, 0 // its registration is about to commit
			}
			return evict, wire.EvictionNoSession
		}
	} else if outcome, reason := entry.judge(header); outcome != accept {
		return outcome, reason
	}
	if r.requests.isPending(header.Client) || r.requests.full() || header.Timestamp != 0 {
		return ignore, 0
	}
	return accept, 0
}

// judge compares a request with the session's latest one: the next is
// accepted, the latest again is answered from the stored reply, anything else
// is a stale copy or a fork of the client and ignored.
func (e *session) judge(header *wire.Request) (verdict, wire.EvictionReason) {
	if header.Operation != wire.OperationRegister {
		switch number := Ordinal(header.Session); {
		case e.number > number:
			return evict, wire.EvictionSessionTooLow
		case e.number < number:
			return ignore, 0
		}
	}
	if e.reply.Release != header.Release {
		return evict, wire.EvictionSessionReleaseMismatch
	}
	switch latest := &e.reply; {
	case header.Request == latest.Request && header.Checksum == latest.RequestChecksum:
		return resend, 0
	case header.Request == latest.Request+1 && header.Parent == latest.Context:
		return accept, 0
	}
	return ignore, 0
}

// resendReply sends the stored reply of a session. If the view has moved on
// since, the copy sent tells the client so; the context stays, so that the
// client's chain does (PROTOCOL.md section 5.4).
func (r *Replica) resendReply(entry *session) {
	if View(entry.reply.View) == r.view {
		r.options.Bus.SendToClient(entry.reply.Client, entry.message)
		return
	}
	again := r.options.Pool.Acquire(len(entry.message.Bytes))
	copy(again.Bytes, entry.message.Bytes)
	reply := entry.reply
	reply.View = uint32(r.view)
	reply.Encode(again.Bytes)
	wire.SealHeader(again.Bytes)
	r.options.Bus.SendToClient(entry.reply.Client, again)
	again.Release()
}

// onPingClient answers a ping as PROTOCOL.md section 9 says.
func (r *Replica) onPingClient(frame []byte) {
	var ping wire.PingClient
	if ping.Decode(frame) != nil {
		return
	}
	if reason := r.judgePing(&ping); reason != 0 {
		if r.leads() {
			r.sendEviction(ping.Client, reason)
		}
		return
	}
	pong := wire.PongClient{Frame: r.frame(wire.CommandPongClient), PingTimestampMonotonic: ping.PingTimestampMonotonic}
	r.sendHeader(ping.Client, pong.Encode)
}

func (r *Replica) judgePing(ping *wire.PingClient) wire.EvictionReason {
	switch {
	case ping.Session != 0 && r.sessions.find(ping.Client) == nil &&
		r.leads() && uint64(r.commitOrdinal) >= ping.Session:
		return wire.EvictionNoSession
	case ping.Release < r.options.ReleaseClientMin:
		return wire.EvictionClientReleaseTooLow
	case ping.Release > r.options.Release:
		return wire.EvictionClientReleaseTooHigh
	}
	return 0
}

func (r *Replica) sendEviction(client u128.Uint128, reason wire.EvictionReason) {
	eviction := wire.Eviction{Frame: r.frame(wire.CommandEviction), Client: client, Reason: reason}
	r.sendHeader(client, eviction.Encode)
}

// frame returns the common part of a message without a body that this replica
// sends on its own behalf.
func (r *Replica) frame(command wire.Command) wire.Frame {
	return wire.Frame{
		ChecksumBody: checksum.Of(nil),
		Cluster:      r.root.Cluster,
		Size:         wire.HeaderSize,
		View:         uint32(r.view),
		Release:      r.options.Release,
		Command:      command,
		Replica:      r.root.Replica,
	}
}

// sendHeader sends a message that is only a header.
func (r *Replica) sendHeader(client u128.Uint128, encode func([]byte)) {
	message := r.options.Pool.Acquire(wire.HeaderSize)
	encode(message.Bytes)
	wire.SealHeader(message.Bytes)
	r.options.Bus.SendToClient(client, message)
	message.Release()
}
