// Command pack writes the archive of golden cases that package cases embeds.
//
//	go run ./internal/cases/pack <folder of *.jsonl files> internal/cases/cases.tar.zst
//
// Files go in by name and without owners or times, so the same cases always
// give the same archive.
package main

import (
	"archive/tar"
	"fmt"
	"os"
	"path/filepath"

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
	paths, err := filepath.Glob(filepath.Join(folder, "*.jsonl")) // sorted by name
	if err != nil {
		return err
	}
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
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		header := &tar.Header{Name: filepath.Base(path), Mode: 0o644, Size: int64(len(content)), Format: tar.FormatUSTAR}
		if err := files.WriteHeader(header); err != nil {
			return err
		}
		if _, err := files.Write(content); err != nil {
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
