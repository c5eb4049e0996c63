//go:build !linux

package bench

import "time"

// doze sleeps, perhaps a millisecond too long.
func doze(d time.Duration) { time.Sleep(d) }
