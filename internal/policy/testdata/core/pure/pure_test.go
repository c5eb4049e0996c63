package pure

import "os"

var _ = os.Args
