package command

import (
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"
)

// Size is a number of bytes, given and shown with a binary unit: "64MiB",
// "512KiB", "4096". It is a pflag.Value.
type Size int64

// units, largest first, so that String finds the one that fits.
var units = []struct {
	name  string
	bytes int64
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1},
}

// String returns the size in the largest unit that divides it.
func (s *Size) String() string {
	for _, unit := range units {
		if int64(*s) >= unit.bytes && int64(*s)%unit.bytes == 0 && unit.bytes > 1 {
			return strconv.FormatInt(int64(*s)/unit.bytes, 10) + unit.name
		}
	}
	return strconv.FormatInt(int64(*s), 10)
}

// Set reads a whole number with a binary unit, or with none for bytes.
func (s *Size) Set(text string) error {
	digits, scale := text, int64(1)
	for _, unit := range units {
		if trimmed, ok := strings.CutSuffix(text, unit.name); ok {
			digits, scale = trimmed, unit.bytes
			break
		}
	}
	count, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || count < 0 || count > math.MaxInt64/scale {
		return fmt.Errorf("%q is not a size such as 64MiB, 512KiB or 4096", text)
	}
	*s = Size(count * scale)
	return nil
}

// Type names the value in help texts.
func (s *Size) Type() string { return "size" }

// ParseAddresses reads a list of addresses by replica index, separated by
// commas, in the forms "3000", "127.0.0.1", "127.0.0.1:3000", "[::1]:3000" and
// "db1.example:3000". A missing host is loopback, a missing port is 3001. The
// result has the form host:port; names are resolved by whoever connects.
func ParseAddresses(text string) ([]string, error) {
	var addresses []string
	for part := range strings.SplitSeq(text, ",") {
		host, port, err := splitAddress(strings.TrimSpace(part))
		if err != nil {
			return nil, fmt.Errorf("address %q: %w", part, err)
		}
		addresses = append(addresses, net.JoinHostPort(host, port))
	}
	return addresses, nil
}

const (
	defaultHost = "127.0.0.1"
	defaultPort = "3001"
)

func splitAddress(text string) (host, port string, err error) {
	host, port = defaultHost, defaultPort
	switch {
	case text == "":
		return "", "", fmt.Errorf("is empty")
	case strings.Trim(text, "0123456789") == "":
		port = text
	case net.ParseIP(strings.Trim(text, "[]")) != nil:
		host = strings.Trim(text, "[]")
	case !strings.Contains(text, ":"):
		host = text
	default:
		if host, port, err = net.SplitHostPort(text); err != nil || host == "" {
			return "", "", fmt.Errorf("is none of PORT, HOST and HOST:PORT")
		}
	}
	if net.ParseIP(host) == nil && !isName(host) {
		return "", "", fmt.Errorf("%q is neither an IP address nor a name", host)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", "", fmt.Errorf("%q is not a port", port)
	}
	return host, port, nil
}

// isName reports whether text can be the name of a host. One that looks like an
// IPv4 address is a mistake in one.
func isName(text string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	return strings.ContainsAny(text, letters) && strings.Trim(text, letters+"0123456789.-_") == ""
}
