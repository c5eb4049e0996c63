package checksum_test

import (
	"testing"

	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/internal/vectors"
)

func TestKnownValues(t *testing.T) {
	known, err := vectors.LoadChecksums()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range known {
		if got := checksum.Of(c.Input); got != c.Sum {
			t.Errorf("%d bytes: %v, want %v", len(c.Input), got, c.Sum)
		}
	}
}
