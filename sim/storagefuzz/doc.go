// Package storagefuzz holds tests only: the ledger on its grid, on simulated disks
// and workers that finish in any order, is compared with the model, with itself,
// and with what it was before a crash.
//
// What a replica adds, the journal and the sessions, is not here: requests are
// executed as they come, and executed again after a crash. So a seed does a few
// hundred requests in a fraction of a second. Package sim tests the whole.
//
//	go test ./sim/storagefuzz -storage.seeds 100 -storage.seed 0   fresh seeds
//	go test ./sim/storagefuzz -storage.seeds 1 -storage.seed 17    this one again
package storagefuzz
