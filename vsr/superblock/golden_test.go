package superblock

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

// The first copies of testState as the releases of each format wrote them, up
// to the last byte that is not zero. Those of version 1 had the
// superblock of version 2, and other blocks; version 3 adds the spares; version 4 has
// that superblock, and other blocks; version 5 adds the checkpoint before; version 6 has
// other blocks.
var (
	goldenVersion1 = "6c65646765726400" + "01000000" + "00000000" + "57836a7ad422d74d8028f058057d1b75" + goldenRest
	goldenVersion2 = "6c65646765726400" + "02000000" + "00000000" + "f273ddf0dc3b61ac9dceef653f85fe4f" + goldenRest
	goldenVersion3 = "6c65646765726400" + "03000000" + "00000000" + "520c4fc494d14eddf5479b3c13749b51" + goldenFront + "40000000" + goldenEnd
	goldenVersion4 = "6c65646765726400" + "04000000" + "00000000" + "60d7b726bb553baaf71d2bacd442fcd6" + goldenFront + "40000000" + goldenEnd
	goldenVersion5 = "6c65646765726400" + "05000000" + "00000000" + "b20e971103ed9808168be40f15453929" + goldenFront + "40000000" + goldenEnd + goldenPrevious
	goldenVersion6 = "6c65646765726400" + "06000000" + "00000000" + "a7a37b3d7718d6980f06b9e2798f48ea" + goldenFront + "40000000" + goldenEnd + goldenPrevious

	goldenRest  = goldenFront + "00000000" + goldenEnd
	goldenFront = "0100000000000000" + // sequence
		"00000000000000000000000000000000" + // parent
		"4d000000000000000000000000000000" + // cluster
		"01030100" + "00000000" + "00000000" // replica, count and flags; views
	goldenEnd = "0000000000000000" + // highest commit
		"00040000" + "00000400" + "0000800000000000" + "00040000" + "00800000" + // layout
		"0000000000000000" +
		"0000000000000000000000000000000000000000000000000000000000000000" + // checkpoint: parent, checksum
		"0000000000000000" + "01" // its op and next ordinal
	goldenPrevious = strings.Repeat("00", 647) + "01" // as the checkpoint
)

func golden(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return append(b, make([]byte, copySize-len(b))...)
}

func TestGolden(t *testing.T) {
	if got, want := Format(testState())[:copySize], golden(t, goldenVersion6); !bytes.Equal(got, want) {
		t.Errorf("a new file begins with\n%x, not\n%x", got[:200], want[:200])
	}
}

// A file of an earlier version is refused with both versions named, and so is one of a
// version to come.
func TestOtherFormats(t *testing.T) {
	version7 := golden(t, goldenVersion6)
	version7[offsetVersion] = 7
	for _, test := range []struct {
		image []byte
		want  error
		text  string
	}{
		{golden(t, goldenVersion1), ErrFormatOlder, ": version 1, and this release reads version 6: start an earlier release with it, or format a new file"},
		{golden(t, goldenVersion2), ErrFormatOlder, ": version 2, and this release reads version 6: start an earlier release with it, or format a new file"},
		{golden(t, goldenVersion3), ErrFormatOlder, ": version 3, and this release reads version 6: start an earlier release with it, or format a new file"},
		{golden(t, goldenVersion4), ErrFormatOlder, ": version 4, and this release reads version 6: start an earlier release with it, or format a new file"},
		{golden(t, goldenVersion5), ErrFormatOlder, ": version 5, and this release reads version 6: start an earlier release with it, or format a new file"},
		{version7, ErrFormatNewer, ": version 7, and this release reads version 6: start a later release with it"},
	} {
		disk := newDisk(1)
		for i := range Copies {
			test.image[offsetCopy] = byte(i)
			disk.Poke(int64(i)*CopySlotSize, test.image)
		}
		if _, err := open(disk); !errors.Is(err, test.want) || !strings.HasSuffix(err.Error(), test.text) {
			t.Error(err)
		}
	}
}
