package wire

import (
	"encoding/binary"

	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/internal/u128"
)

// Reply answers a request (PROTOCOL.md section 5.4). Release is that of the
// request, View that in which the request was prepared or a newer one, Replica
// the primary that prepared it.
//
//	offset  size  field
//	   128    16  request_checksum, the checksum of the request's header
//	   144    16  padding
//	   160    16  context, see ReplyContext
//	   176    16  padding
//	   192    16  client, not 0
//	   208     8  op, not 0
//	   216     8  commit, equal to op
//	   224     8  timestamp, not 0
//	   232     4  request; 0 for register only
//	   236     1  operation
//	   237    19  reserved
type Reply struct {
	Frame
	RequestChecksum checksum.Sum
	Context         checksum.Sum
	Client          u128.Uint128
	Op              uint64 // the ordinal of the request
	Commit          uint64
	Timestamp       uint64
	Request         uint32
	Operation       Operation
}

const (
	offsetContext     = 160
	offsetReplyClient = 192
)

// Decode reads a header that has passed VerifyHeader. The error is a *HeaderError.
func (h *Reply) Decode(b []byte) error {
	if err := h.Frame.decode(b, CommandReply); err != nil {
		return err
	}
	h.RequestChecksum = checksum.Sum(b[128:144])
	h.Context = checksum.Sum(b[offsetContext:176])
	h.Client = u128.FromBytes(b[offsetReplyClient:])
	h.Op = binary.LittleEndian.Uint64(b[208:])
	h.Commit = binary.LittleEndian.Uint64(b[216:])
	h.Timestamp = binary.LittleEndian.Uint64(b[224:])
	h.Request = binary.LittleEndian.Uint32(b[232:])
	h.Operation = Operation(b[236])
	switch {
	case !isZero(b[144:160]):
		return h.invalid("request_checksum_padding", "is not zero")
	case !isZero(b[176:192]):
		return h.invalid("context_padding", "is not zero")
	case !isZero(b[237:HeaderSize]):
		return h.invalid("reserved", "is not zero")
	}
	return h.Validate()
}

// Encode writes all HeaderSize bytes of the header to b, context and checksums
// as they are in h. It sets h.Command, and panics if h is not valid.
func (h *Reply) Encode(b []byte) {
	h.Command = CommandReply
	mustBeValid(h.Validate())
	h.Frame.encode(b)
	copy(b[128:], h.RequestChecksum[:])
	copy(b[offsetContext:], h.Context[:])
	h.Client.PutBytes(b[offsetReplyClient:])
	binary.LittleEndian.PutUint64(b[208:], h.Op)
	binary.LittleEndian.PutUint64(b[216:], h.Commit)
	binary.LittleEndian.PutUint64(b[224:], h.Timestamp)
	binary.LittleEndian.PutUint32(b[232:], h.Request)
	b[236] = byte(h.Operation)
}

// Validate checks the fields by PROTOCOL.md section 5.4. The error is a
// *HeaderError.
func (h *Reply) Validate() error {
	if err := h.Frame.validate(); err != nil {
		return err
	}
	register := h.Operation == OperationRegister
	switch {
	case h.Client.IsZero():
		return h.invalid("client", "is zero")
	case h.Op == 0:
		return h.invalid("op", "is zero")
	case h.Commit != h.Op:
		return h.invalid("commit", "differs from op")
	case h.Timestamp == 0:
		return h.invalid("timestamp", "is zero")
	case register && h.Request != 0:
		return h.invalid("request", "is not zero in a register")
	case !register && h.Request == 0:
		return h.invalid("request", "is zero")
	case register && h.Size != HeaderSize+RegisterReplySize:
		return h.invalid("size", "is not that of a register")
	}
	return nil
}

// ReplyContext returns the context that belongs into an encoded reply header
// whose checksum_body is in place: the checksum of the header with a context of
// zero. It is the parent of the client's next request.
//
// It depends on the view, so that it can be recomputed only as long as the
// reply has the view in which its request was prepared. b may be longer than the
// header and is left as it is.
func ReplyContext(b []byte) checksum.Sum {
	var header [HeaderSize]byte
	copy(header[:], b[:HeaderSize])
	clear(header[offsetContext : offsetContext+checksum.Size])
	return checksum.Of(header[checksum.Size:])
}

// SealReply completes an encoded reply in place: checksum_body, then context,
// then checksum. It returns the context and the checksum, and panics unless msg has
// exactly the size that its header says.
//
// A reply that is sent again in a newer view keeps its context: set its View,
// Encode, and call SealHeader instead.
func SealReply(msg []byte) (context, sum checksum.Sum) {
	sealBody(msg)
	context = ReplyContext(msg)
	copy(msg[offsetContext:], context[:])
	return context, SealHeader(msg)
}
