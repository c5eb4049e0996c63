package main

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/ledger"
)

// wide is a 128-bit number in JSON: written as a string, since most readers
// round large numbers, and read from a string or a number.
type wide ledger.Uint128

func (w wide) MarshalJSON() ([]byte, error) {
	return strconv.AppendQuote(nil, ledger.Uint128(w).String()), nil
}

func (w *wide) UnmarshalJSON(text []byte) error {
	value, err := u128.Parse(string(unquote(text)))
	*w = wide(value)
	return err
}

// long is a 64-bit number in JSON, like wide.
type long uint64

func (l long) MarshalJSON() ([]byte, error) {
	return strconv.AppendQuote(nil, strconv.FormatUint(uint64(l), 10)), nil
}

func (l *long) UnmarshalJSON(text []byte) error {
	value, err := strconv.ParseUint(string(unquote(text)), 10, 64)
	if err != nil {
		return fmt.Errorf("%s is not a number in 0 .. 2^64-1", text)
	}
	*l = long(value)
	return nil
}

func unquote(text []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimPrefix(text, []byte{'"'}), []byte{'"'})
}

// moment is a timestamp as a flag: nanoseconds since the Unix epoch, or a time
// of RFC 3339, which is also how tables show it. It is a pflag.Value.
type moment uint64

func (m *moment) String() string { return formatTimestamp(uint64(*m)) }

func (m *moment) Set(text string) error {
	if nanoseconds, err := strconv.ParseUint(text, 10, 63); err == nil {
		*m = moment(nanoseconds)
		return nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.UnixNano() <= 0 {
		return fmt.Errorf("%q is neither nanoseconds since 1970 nor a time such as 2026-01-31T12:00:00Z", text)
	}
	*m = moment(t.UnixNano())
	return nil
}

func (m *moment) Type() string { return "time" }

// rfc3339 is RFC 3339 with all digits of the fraction, so that columns align.
const rfc3339 = "2006-01-02T15:04:05.000000000Z07:00"

// formatTimestamp returns a timestamp as a time of RFC 3339, and "" for none.
func formatTimestamp(nanoseconds uint64) string {
	if nanoseconds == 0 {
		return ""
	}
	return time.Unix(0, int64(nanoseconds)).UTC().Format(rfc3339)
}
