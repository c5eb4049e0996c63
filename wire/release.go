package wire

import "fmt"

// Release is a version of the protocol's software: major << 16 | minor << 8 |
// patch. Releases compare as integers; 0 means "none" (PROTOCOL.md section 6).
type Release uint32

// Releases that matter.
const (
	// ReleaseMin is the oldest client release served, 0.16.4.
	ReleaseMin Release = 16<<8 | 4
	// Release0_17_0 is the first whose clients use no deprecated operation.
	Release0_17_0 Release = 17 << 8
	// Release0_17_9 is the newest whose behaviour is known here.
	Release0_17_9 Release = 17<<8 | 9
)

// String returns the release as "major.minor.patch".
func (r Release) String() string {
	return fmt.Sprintf("%d.%d.%d", uint32(r)>>16, uint8(r>>8), uint8(r))
}
