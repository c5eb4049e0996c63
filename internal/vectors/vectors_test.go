package vectors

import (
	"encoding/hex"
	"strings"
	"testing"
)

func TestLoad(t *testing.T) {
	scenarios, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	messages, invalid, exchanges := 0, 0, 0
	for _, scenario := range scenarios {
		for _, message := range scenario.Messages {
			messages++
			if !message.Valid {
				invalid++
			}
			if got := message.Header.Number("size"); got.Lo != uint64(len(message.Bytes)) {
				t.Errorf("%s: %d bytes, size %v", message.File, len(message.Bytes), got)
			}
			if !strings.HasPrefix(message.File, scenario.Name+"/") {
				t.Errorf("%s is in scenario %s", message.File, scenario.Name)
			}
		}
		for _, exchange := range scenario.Exchanges {
			exchanges++
			request, reply := scenario.Messages[exchange.Request], scenario.Messages[exchange.Reply]
			if request.Direction != ClientToServer || reply.Direction != ServerToClient ||
				reply.Header.Sum("request_checksum") != request.Header.Sum("checksum") {
				t.Errorf("%s: op %d: the reply is not of the request", scenario.Name, exchange.Op)
			}
		}
	}
	if len(scenarios) != 15 || messages != 341 || invalid != 1 || exchanges == 0 {
		t.Errorf("%d scenarios, %d messages, %d invalid, %d exchanges; want 15, 341, 1, some",
			len(scenarios), messages, invalid, exchanges)
	}
}

func TestLoadChecksums(t *testing.T) {
	checksums, err := LoadChecksums()
	if err != nil {
		t.Fatal(err)
	}
	if len(checksums) != 25 {
		t.Fatalf("%d checksums, want 25", len(checksums))
	}
	if got := hex.EncodeToString(pattern(16)); got != "0bb25900a74ef59c43ea9138df862dd4" {
		t.Fatalf("pattern starts with %s", got)
	}
}
