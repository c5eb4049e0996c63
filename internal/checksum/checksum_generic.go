//go:build !amd64 || purego

package checksum

func of(data []byte) Sum { return ofPortable(data) }
