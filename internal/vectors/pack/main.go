// Command pack writes the archive of recorded messages that package vectors
// embeds.
//
//	go run ./internal/vectors/pack <folder of recordings> internal/vectors/vectors.tar.zst
//
// It takes checksums.json, index.json and the message files of each scenario's
// folder, by name and without owners or times, so that the same recordings
// always give the same archive.
package main

import (
	"archive/tar"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/klauspost/compress/zstd"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: pack <folder> <archive>")
		os.Exit(2)
	}
	if err := pack(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

func pack(folder, archive string) error {
	var paths []string
	for _, pattern := range []string{"*.json", "*/*.bin"} {
		matches, err := filepath.Glob(filepath.Join(folder, pattern))
		if err != nil {
			return err
		}
		paths = append(paths, matches...)
	}
	slices.Sort(paths)
	out, err := os.Create(archive)
	if err != nil {
		return err
	}
	defer out.Close()
	compressor, err := zstd.NewWriter(out,
		zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithWindowSize(8<<20))
	if err != nil {
		return err
	}
	files := tar.NewWriter(compressor)
	for _, path := range paths {
		if err := add(files, folder, path); err != nil {
			return err
		}
	}
	if err := files.Close(); err != nil {
		return err
	}
	if err := compressor.Close(); err != nil {
		return err
	}
	return out.Close()
}

func add(files *tar.Writer, folder, path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	name, err := filepath.Rel(folder, path)
	if err != nil {
		return err
	}
	header := &tar.Header{Name: filepath.ToSlash(name), Mode: 0o644, Size: int64(len(content)), Format: tar.FormatUSTAR}
	if err := files.WriteHeader(header); err != nil {
		return err
	}
	_, err = files.Write(content)
	return err
}
