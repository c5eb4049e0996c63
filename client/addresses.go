package client

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/ledgerd/ledgerd/wire"
)

// The parts of an address that may be left out (PROTOCOL.md section 1).
const (
	defaultHost = "127.0.0.1"
	defaultPort = "3001"
)

// parseAddresses returns the host:port of each replica, in order. An element
// may be a comma-separated list; each address is a port, a host, or host:port.
func parseAddresses(elements []string) ([]string, error) {
	var addresses []string
	for _, element := range elements {
		for address := range strings.SplitSeq(element, ",") {
			parsed, err := parseAddress(strings.TrimSpace(address))
			if err != nil {
				return nil, fmt.Errorf("address %q: %w", address, err)
			}
			addresses = append(addresses, parsed)
		}
	}
	if n := len(addresses); n < 1 || n > wire.ReplicasMax {
		return nil, fmt.Errorf("%d addresses given, want 1 to %d", n, wire.ReplicasMax)
	}
	return addresses, nil
}

func parseAddress(address string) (string, error) {
	host, port := defaultHost, defaultPort
	switch {
	case address == "":
		return "", errors.New("empty")
	case isDigits(address):
		port = address
	case net.ParseIP(strings.Trim(address, "[]")) != nil:
		host = strings.Trim(address, "[]")
	case strings.Contains(address, ":"):
		var err error
		if host, port, err = net.SplitHostPort(address); err != nil {
			return "", err
		}
		if host == "" {
			host = defaultHost
		}
	default:
		host = address
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", fmt.Errorf("port %q is not in 1 .. 65535", port)
	}
	return net.JoinHostPort(host, port), nil
}

func isDigits(s string) bool {
	return strings.Trim(s, "0123456789") == ""
}
