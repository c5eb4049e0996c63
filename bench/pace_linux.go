package bench

import (
	"syscall"
	"time"
)

// doze sleeps in the kernel, which wakes in tens of microseconds. A signal ends
// it early.
func doze(d time.Duration) {
	t := syscall.NsecToTimespec(int64(d))
	syscall.Nanosleep(&t, nil)
}
