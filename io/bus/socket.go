package bus

import (
	"net"
	"time"
)

// keepAlive finds peers that vanished without a word (PROTOCOL.md section 1).
// The net package applies it to accepted sockets, and sets TCP_NODELAY too. The
// size of the receive buffer is left to the kernel: to fix it at 4 MiB made no
// difference to 1 MiB messages.
var keepAlive = net.KeepAliveConfig{
	Enable:   true,
	Idle:     5 * time.Second,
	Interval: 4 * time.Second,
	Count:    3,
}

// How long sent bytes may stay unacknowledged. Between replicas something is sent
// all the time, and a connection over which nothing gets is better made anew
// than left to the pauses, ever longer, after which TCP tries again.
const (
	userTimeout = 17 * time.Second
	linkTimeout = 2 * time.Second
)
