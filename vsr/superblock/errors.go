package superblock

import "errors"

// Why a file cannot be opened. Each is wrapped with the particulars.
var (
	// ErrNotDataFile: no copy begins with the magic of a ledgerd data file.
	ErrNotDataFile = errors.New("not a ledgerd data file")
	// ErrFormatNewer: a later release of ledgerd wrote the file.
	ErrFormatNewer = errors.New("data file has a newer format than this release knows")
	// ErrFormatOlder: the file is of a format that this release has dropped.
	ErrFormatOlder = errors.New("data file has an older format than this release reads")
	// ErrTruncated: the file is shorter than its fixed zones.
	ErrTruncated = errors.New("data file is truncated")
	// ErrQuorum: fewer than two equal copies of any root are left.
	ErrQuorum = errors.New("superblock is damaged beyond repair")
	// ErrCluster: the file belongs to another cluster.
	ErrCluster = errors.New("data file belongs to another cluster")
	// ErrReplica: the file belongs to another replica of the cluster.
	ErrReplica = errors.New("data file belongs to another replica")
)

// ErrReadBack is the fault of an update of which fewer than three copies could
// be read back as written. The replica must stop.
var ErrReadBack = errors.New("superblock: fewer than three copies could be read back")
