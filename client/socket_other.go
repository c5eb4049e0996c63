//go:build !linux

package client

import "syscall"

// setSocketOptions leaves dead peers to keep-alives and the kernel's patience.
func setSocketOptions(_, _ string, _ syscall.RawConn) error { return nil }
