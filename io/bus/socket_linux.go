package bus

import (
	"errors"
	"net"

	"golang.org/x/sys/unix"
)

// prepareSocket sets what the net package does not.
func prepareSocket(socket net.Conn) error {
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
