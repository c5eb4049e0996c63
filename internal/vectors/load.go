package vectors

import (
	"archive/tar"
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// archive is written by the command in pack/.
//
//go:embed vectors.tar.zst
var archive []byte

// Load returns all scenarios. An error means that the embedded archive is
// damaged.
func Load() ([]Scenario, error) {
	files, err := unpack()
	if err != nil {
		return nil, err
	}
	var index struct{ Scenarios []Scenario }
	if err := json.Unmarshal(files["index.json"], &index); err != nil {
		return nil, fmt.Errorf("vectors: index.json: %w", err)
	}
	for _, scenario := range index.Scenarios {
		for i := range scenario.Messages {
			message := &scenario.Messages[i]
			if message.Seq != i {
				return nil, fmt.Errorf("vectors: %s: message %d has number %d", scenario.Name, i, message.Seq)
			}
			content, ok := files[message.File]
			if !ok {
				return nil, fmt.Errorf("vectors: %s is missing", message.File)
			}
			message.Bytes = content
		}
	}
	return index.Scenarios, nil
}

// LoadChecksums returns the known values of the checksum function. An error
// means that the embedded archive is damaged.
func LoadChecksums() ([]Checksum, error) {
	files, err := unpack()
	if err != nil {
		return nil, err
	}
	var list struct {
		Vectors []struct {
			Length   int
			Checksum string
		}
	}
	if err := json.Unmarshal(files["checksums.json"], &list); err != nil {
		return nil, fmt.Errorf("vectors: checksums.json: %w", err)
	}
	var checksums []Checksum
	for _, v := range list.Vectors {
		checksums = append(checksums, Checksum{Input: pattern(v.Length), Sum: sumFrom(v.Checksum)})
	}
	return checksums, nil
}

// pattern returns the input that the checksums are of.
func pattern(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i*167 + (i>>8)*13 + 11)
	}
	return b
}

// unpack returns the archive's files by name.
func unpack() (map[string][]byte, error) {
	decompressor, err := zstd.NewReader(bytes.NewReader(archive), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("vectors: %w", err)
	}
	defer decompressor.Close()
	files := map[string][]byte{}
	for entries := tar.NewReader(decompressor); ; {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, fmt.Errorf("vectors: %w", err)
		}
		content, err := io.ReadAll(entries)
		if err != nil {
			return nil, fmt.Errorf("vectors: %s: %w", header.Name, err)
		}
		files[header.Name] = content
	}
}
