package cases

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"regexp"
)

// value is a number, or when symbol is not empty the distance from a
// timestamp that is known only at run time: "T3+17" is {"T3", 17}.
type value struct {
	symbol string
	number *big.Int
}

func (v value) String() string {
	switch {
	case v.symbol == "":
		return v.number.String()
	case v.number.Sign() == 0:
		return v.symbol
	}
	return fmt.Sprintf("%s%+d", v.symbol, v.number)
}

func (v value) plus(n *big.Int) value {
	return value{v.symbol, new(big.Int).Add(v.number, n)}
}

// valueForm matches a number, or a label and the distance from it.
var valueForm = regexp.MustCompile(`^(T\d+)?([+-]?\d+)?$`)

// parseValue reads "5", "T3", "T3+17" or "T3-1".
func parseValue(text string) (value, error) {
	parts := valueForm.FindStringSubmatch(text)
	if parts == nil || text == "" {
		return value{}, fmt.Errorf("%q is neither a number nor a label", text)
	}
	number := new(big.Int)
	if parts[2] != "" {
		number.SetString(parts[2], 10)
	}
	return value{symbol: parts[1], number: number}, nil
}

// record is an event or an expected result: absent fields are zero.
type record map[string]value

// tooMuchData is the expected result of a request that the recording client
// refused to send.
const tooMuchData = "too_much_data"

// readRecords decodes the events or the results of a request, expanding the
// compact form of huge batches. refused is true for tooMuchData.
func readRecords(raw json.RawMessage) (records []record, refused bool, err error) {
	if !bytes.HasPrefix(raw, []byte("{")) {
		var items []json.RawMessage
		if err := json.Unmarshal(raw, &items); err != nil {
			return nil, false, err
		}
		for _, item := range items {
			r, err := readRecord(item)
			if err != nil {
				return nil, false, err
			}
			records = append(records, r)
		}
		return records, false, nil
	}
	var compact struct {
		Error            string
		Count            int
		First, Increment json.RawMessage
	}
	if err := json.Unmarshal(raw, &compact); err != nil {
		return nil, false, err
	}
	if compact.Error != "" {
		return nil, compact.Error == tooMuchData, nil
	}
	r, err := readRecord(compact.First)
	if err != nil {
		return nil, false, err
	}
	increment, err := readRecord(compact.Increment)
	if err != nil {
		return nil, false, err
	}
	for range compact.Count {
		records = append(records, r)
		r = maps.Clone(r)
		for name, step := range increment {
			r[name] = r[name].plus(step.number)
		}
	}
	return records, false, nil
}

// readRecord decodes an object, or the bare id of a lookup. The field "name"
// spells out a status for people and is dropped.
func readRecord(raw json.RawMessage) (record, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber() // 64-bit numbers do not survive a float64
	var decoded any
	if err := decoder.Decode(&decoded); err != nil {
		return nil, err
	}
	fields, ok := decoded.(map[string]any)
	if !ok {
		fields = map[string]any{"id": decoded}
	}
	r := make(record, len(fields))
	for name, content := range fields {
		if name == "name" {
			continue
		}
		v, err := parseValue(fmt.Sprint(content))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		r[name] = v
	}
	return r, nil
}
