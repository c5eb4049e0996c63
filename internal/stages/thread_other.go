//go:build !linux

package stages

import "time"

var began = time.Now()

// threadTime is the time since the program began.
func threadTime() time.Duration { return time.Since(began) }
