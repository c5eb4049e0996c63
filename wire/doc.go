// Package wire is the byte protocol: the 256-byte header that starts every
// message, the commands, and the layers of validation between bytes from a
// socket and a header that can be acted on.
//
// A message is a header followed by Size-HeaderSize body bytes. On receipt:
//
//  1. VerifyHeader as soon as 256 bytes are there; an error closes the connection;
//  2. VerifyBody once Size bytes are there; an error closes the connection;
//  3. compare Frame.Cluster with one's own; a difference closes the connection;
//  4. Decode into the struct of the frame's command; an error means that the
//     message is ignored.
//
// To send: Encode, write the body, then Seal (SealReply for replies).
//
// Every struct has Validate, which Decode runs after reading and Encode before
// writing: what Encode writes, Decode accepts. Numbers are little-endian. No
// function keeps or allocates memory unless it fails; none is safe for
// concurrent use of the same argument.
//
// The package does no I/O and knows nothing about sessions, journals or
// ledgers, and it does not interpret bodies, apart from that of a prepare,
// which is ours and exists only between replicas.
package wire

// Sizes in bytes.
const (
	// HeaderSize is the size of every message's header.
	HeaderSize = 256
	// MessageSizeMax bounds a message that a client sends or receives.
	MessageSizeMax = 1 << 20
	// BodySizeMax bounds the body of such a message.
	BodySizeMax = MessageSizeMax - HeaderSize
	// PrepareSizeMax bounds a prepare: the largest request becomes a prepare
	// by appending one Entry to its body.
	PrepareSizeMax = MessageSizeMax + EntrySize
)

// ReplicasMax is the largest number of replicas in a cluster. Official clients
// index an array of this size by PongClient.Replica.
const ReplicasMax = 6

// StandbysMax is the largest number of standbys of a cluster: they have the
// indexes after those of the replicas. MembersMax is that of both together.
const (
	StandbysMax = 6
	MembersMax  = ReplicasMax + StandbysMax
)
