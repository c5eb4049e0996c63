package client

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// setSocketOptions lets a connection fail whose peer has not acknowledged what
// was sent to it for userTimeout. Keep-alives cannot tell: they rest while data
// is on its way, which the kernel would otherwise resend for a quarter of an
// hour.
func setSocketOptions(_, _ string, raw syscall.RawConn) error {
	return raw.Control(func(fd uintptr) {
		// To go without is no reason to have no connection.
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(userTimeout.Milliseconds()))
	})
}
