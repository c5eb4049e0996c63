package ledger

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// codec is what every record has.
type codec interface {
	Decode([]byte)
	Encode([]byte)
}

var codecs = []struct {
	name string
	size int
	make func() codec
}{
	{"Account", AccountSize, func() codec { return new(Account) }},
	{"Transfer", TransferSize, func() codec { return new(Transfer) }},
	{"AccountBalance", AccountBalanceSize, func() codec { return new(AccountBalance) }},
	{"AccountFilter", AccountFilterSize, func() codec { return new(AccountFilter) }},
	{"QueryFilter", QueryFilterSize, func() codec { return new(QueryFilter) }},
	{"ChangeEventsFilter", ChangeEventsFilterSize, func() codec { return new(ChangeEventsFilter) }},
	{"ChangeEvent", ChangeEventSize, func() codec { return new(ChangeEvent) }},
	{"CreateAccountResult", CreateResultSize, func() codec { return new(CreateAccountResult) }},
	{"CreateTransferResult", CreateResultSize, func() codec { return new(CreateTransferResult) }},
	{"CreateErrorResult", CreateErrorResultSize, func() codec { return new(CreateErrorResult) }},
}

// TestCodecRoundTrip proves that every byte of every record belongs to exactly
// one field: any bytes come back as they were.
func TestCodecRoundTrip(t *testing.T) {
	random := rand.NewChaCha8([32]byte{1})
	for _, c := range codecs {
		want := make([]byte, c.size)
		got := make([]byte, c.size)
		random.Read(want)
		record := c.make()
		record.Decode(want)
		record.Encode(got)
		if !bytes.Equal(got, want) {
			t.Errorf("%s: encoded %x, want %x", c.name, got, want)
		}
		if n := testing.AllocsPerRun(10, func() { record.Decode(want); record.Encode(got) }); n != 0 {
			t.Errorf("%s: %v allocations, want 0", c.name, n)
		}
	}
}

func FuzzCodec(f *testing.F) {
	f.Add(make([]byte, ChangeEventSize))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, c := range codecs {
			if len(data) < c.size {
				continue
			}
			got := make([]byte, c.size)
			record := c.make()
			record.Decode(data)
			record.Encode(got)
			if !bytes.Equal(got, data[:c.size]) {
				t.Errorf("%s: encoded %x, want %x", c.name, got, data[:c.size])
			}
		}
	})
}

func TestCodecOffsets(t *testing.T) {
	b := make([]byte, ChangeEventSize)
	for i := range b {
		b[i] = byte(i)
	}
	var a Account
	a.Decode(b)
	var x Transfer
	x.Decode(b)
	var e ChangeEvent
	e.Decode(b)
	for _, c := range []struct {
		name      string
		got, want uint64
	}{
		{"Account.CreditsPending", a.CreditsPending.Lo, 0x3736353433323130},
		{"Account.UserData32", uint64(a.UserData32), 0x6b6a6968},
		{"Account.Flags", uint64(a.Flags), 0x7776},
		{"Transfer.PendingID", x.PendingID.Hi, 0x4f4e4d4c4b4a4948},
		{"Transfer.Timeout", uint64(x.Timeout), 0x6f6e6d6c},
		{"Transfer.Timestamp", x.Timestamp, 0x7f7e7d7c7b7a7978},
		{"ChangeEvent.Type", uint64(e.Type), 88},
		{"ChangeEvent.CreditAccountFlags", uint64(e.CreditAccountFlags), 0x5f5e},
		{"ChangeEvent.TransferTimestamp", e.TransferTimestamp, 0x6f6e6d6c6b6a6968},
	} {
		if c.got != c.want {
			t.Errorf("%s = %#x, want %#x", c.name, c.got, c.want)
		}
	}
}
