package server

import (
	"net"
	"time"

	"github.com/ledgerd/ledgerd/vsr"
)

// reachTimeout is how long Witnesses waits for a replica.
const reachTimeout = 2 * time.Second

// Witnesses returns at how many of the addresses, but for that of a replica that
// recovers, somebody accepts connections, and how many have to answer it.
func Witnesses(addresses []string, replica uint8) (reachable, needed int) {
	reached := make(chan bool, len(addresses))
	for i, address := range addresses {
		if i != int(replica) {
			go func() { reached <- accepts(address) }()
		}
	}
	for range len(addresses) - 1 {
		if <-reached {
			reachable++
		}
	}
	return reachable, vsr.WitnessesNeeded(uint8(len(addresses)))
}

// accepts reports whether somebody accepts connections at an address.
func accepts(address string) bool {
	connection, err := net.DialTimeout("tcp", address, reachTimeout)
	if err != nil {
		return false
	}
	connection.Close()
	return true
}
