package command

import (
	"os"
	"runtime"
	"runtime/debug"
)

// collectAtPercent is how much a server's heap may grow by garbage, as a share
// of what is in use. Most of that is caches without pointers, which cost the
// collector nothing, and a ledger makes little garbage: so memory is worth more
// than the collector's time.
const collectAtPercent = 10

// TuneForServing sets up the Go runtime of a process that does nothing but
// serve. GOGC and GOMAXPROCS in the environment win.
//
// Merging keeps its workers busy for milliseconds at a time. With a processor of
// the runtime for each of them and one more, the network and the disk are looked
// at all the same; without it, their completions wait up to 10 ms.
func TuneForServing() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAtPercent)
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.NumCPU() + 1)
	}
}
