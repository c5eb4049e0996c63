package bus

import (
	"errors"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// prepareSocket sets what the net package does not: how long sent bytes may stay
// unacknowledged.
func prepareSocket(socket net.Conn, userTimeout time.Duration) error {
	raw, err := socket.(*net.TCPConn).SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	err = raw.Control(func(fd uintptr) {
		inner = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(userTimeout.Milliseconds()))
	})
	return errors.Join(err, inner)
}
