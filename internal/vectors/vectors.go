// Package vectors holds the golden messages: what TigerBeetle 0.17.9 and its
// clients said to each other, byte for byte, together with the fields of each
// message as another program decoded them.
//
// It is test support: only tests import it. It uses nothing of package wire, so
// that a slip in wire's codec cannot cancel itself out.
package vectors

import (
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/internal/u128"
)

// Scenario is one recording. Each starts with a freshly formatted cluster,
// whose id is 0.
type Scenario struct {
	Name        string       `json:"name"`
	Client      string       `json:"client"` // the program that was recorded
	Description string       `json:"description"`
	Connections []Connection `json:"connections"`
	Exchanges   []Exchange   `json:"exchanges"` // by ascending Op
	Messages    []Message    `json:"messages"`  // in the order seen; Messages[i].Seq is i
}

// Connection is one TCP connection of a client to a replica.
type Connection struct {
	Number   int    `json:"conn"`
	Replica  uint8  `json:"replica"`
	ClosedBy string `json:"closed_by"` // client, server or proxy
	Refused  bool   `json:"refused"`
}

// Exchange is one executed request. Ops that are missing between two exchanges
// were executed without a client.
type Exchange struct {
	Op        uint64 `json:"op"`
	Timestamp uint64 `json:"timestamp,string"`
	Operation uint8  `json:"operation"`
	Request   int    `json:"request"` // Seq of the request's first copy
	Reply     int    `json:"reply"`   // Seq of the first reply
}

// Message is one message, and what is known about it.
type Message struct {
	Seq          int             `json:"seq"`
	Milliseconds float64         `json:"t_ms"` // since the recording began
	Connection   int             `json:"conn"`
	Direction    Direction       `json:"dir"`
	File         string          `json:"file"`
	Note         string          `json:"note"`
	Valid        bool            `json:"valid"` // both checksums match
	Error        string          `json:"error"` // what is wrong if they do not
	Command      string          `json:"command"`
	Operation    string          `json:"operation"` // of requests and replies
	Header       Header          `json:"header"`
	ContextValid bool            `json:"context_valid"` // a reply whose context can be recomputed
	BatchCounts  []uint16        `json:"batch_counts"`  // elements of each batch
	Batches      json.RawMessage `json:"batches"`       // the elements, unless there are many
	BodyError    string          `json:"body_error"`    // why the body does not parse, if so

	// Bytes is the whole message, header and body. Do not change it.
	Bytes []byte `json:"-"`
}

// Direction says who sent a message.
type Direction string

// The directions.
const (
	ClientToServer Direction = "c2s"
	ServerToClient Direction = "s2c"
)

// Header holds a header's fields by their names in PROTOCOL.md sections 2 and
// 5. Reserved fields are there only if they are not zero.
type Header map[string]Field

// Field is a field's value as text: a number in decimal, or the bytes of a
// checksum or a reserved field in hexadecimal.
type Field string

// UnmarshalJSON takes a number or a string as it is written.
func (f *Field) UnmarshalJSON(text []byte) error {
	if text[0] != '"' {
		*f = Field(text)
		return nil
	}
	return json.Unmarshal(text, (*string)(f))
}

// Number returns a field that is a number. It panics if there is none.
func (h Header) Number(field string) u128.Uint128 {
	number, err := u128.Parse(string(h[field]))
	if err != nil {
		panic(fmt.Sprintf("vectors: %s: %v", field, err))
	}
	return number
}

// Sum returns a field that is a checksum. It panics if there is none.
func (h Header) Sum(field string) checksum.Sum {
	return sumFrom(string(h[field]))
}

// Checksum is a known value of the checksum function.
type Checksum struct {
	Input []byte
	Sum   checksum.Sum
}

func sumFrom(text string) checksum.Sum {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != checksum.Size {
		panic(fmt.Sprintf("vectors: %q is no checksum", text))
	}
	return checksum.Sum(b)
}
