//go:build !linux

package bus

import (
	"net"
	"time"
)

// prepareSocket has nothing to set: there is no TCP_USER_TIMEOUT. Keepalive
// finds idle peers that vanished, the janitor those that are sent something.
func prepareSocket(net.Conn, time.Duration) error { return nil }
