package ledger

import "encoding/binary"

// CreateResultSize is the encoded size in bytes of a CreateAccountResult and
// of a CreateTransferResult.
const CreateResultSize = 16

// CreateAccountResult is the outcome of one event of create_accounts.
// Timestamp is the account's when it was created or exists, else the event's.
//
//	offset size field
//	     0    8 timestamp
//	     8    4 status
//	    12    4 reserved, zero
//
// PROTOCOL.md section 14.3.
type CreateAccountResult struct {
	Timestamp uint64
	Status    CreateAccountStatus
	Reserved  uint32
}

// Decode reads r from the first CreateResultSize bytes of b.
func (r *CreateAccountResult) Decode(b []byte) {
	_ = b[CreateResultSize-1]
	r.Timestamp = binary.LittleEndian.Uint64(b[0:])
	r.Status = CreateAccountStatus(binary.LittleEndian.Uint32(b[8:]))
	r.Reserved = binary.LittleEndian.Uint32(b[12:])
}

// Encode writes r into the first CreateResultSize bytes of b.
func (r *CreateAccountResult) Encode(b []byte) {
	_ = b[CreateResultSize-1]
	binary.LittleEndian.PutUint64(b[0:], r.Timestamp)
	binary.LittleEndian.PutUint32(b[8:], uint32(r.Status))
	binary.LittleEndian.PutUint32(b[12:], r.Reserved)
}

// CreateTransferResult is the outcome of one event of create_transfers, laid
// out as CreateAccountResult is.
type CreateTransferResult struct {
	Timestamp uint64
	Status    CreateTransferStatus
	Reserved  uint32
}

// Decode reads r from the first CreateResultSize bytes of b.
func (r *CreateTransferResult) Decode(b []byte) {
	_ = b[CreateResultSize-1]
	r.Timestamp = binary.LittleEndian.Uint64(b[0:])
	r.Status = CreateTransferStatus(binary.LittleEndian.Uint32(b[8:]))
	r.Reserved = binary.LittleEndian.Uint32(b[12:])
}

// Encode writes r into the first CreateResultSize bytes of b.
func (r *CreateTransferResult) Encode(b []byte) {
	_ = b[CreateResultSize-1]
	binary.LittleEndian.PutUint64(b[0:], r.Timestamp)
	binary.LittleEndian.PutUint32(b[8:], uint32(r.Status))
	binary.LittleEndian.PutUint32(b[12:], r.Reserved)
}

// CreateErrorResultSize is the encoded size of a CreateErrorResult in bytes.
const CreateErrorResultSize = 8

// CreateErrorResult is the outcome of one failed event of a deprecated create
// operation; created events have none. Status is a CreateAccountStatus or a
// CreateTransferStatus.
//
//	offset size field
//	     0    4 index of the event within its batch
//	     4    4 status
//
// PROTOCOL.md section 14.4.
type CreateErrorResult struct {
	Index  uint32
	Status uint32
}

// Decode reads r from the first CreateErrorResultSize bytes of b.
func (r *CreateErrorResult) Decode(b []byte) {
	_ = b[CreateErrorResultSize-1]
	r.Index = binary.LittleEndian.Uint32(b[0:])
	r.Status = binary.LittleEndian.Uint32(b[4:])
}

// Encode writes r into the first CreateErrorResultSize bytes of b.
func (r *CreateErrorResult) Encode(b []byte) {
	_ = b[CreateErrorResultSize-1]
	binary.LittleEndian.PutUint32(b[0:], r.Index)
	binary.LittleEndian.PutUint32(b[4:], r.Status)
}
