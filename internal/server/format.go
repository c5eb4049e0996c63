package server

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/io/disk"
	"github.com/ledgerd/ledgerd/vsr"
)

// What is wrong with a FormatConfig.
var (
	ErrReplicaCount = errors.New("number of replicas not supported")
	ErrReplica      = errors.New("no such replica")
)

// FormatConfig says whose data file is made.
type FormatConfig struct {
	Cluster      u128.Uint128
	Replica      uint8
	ReplicaCount uint8
	// Standby says that Replica is the index of a standby: one of the six after
	// those of the replicas.
	Standby bool
	// Development makes a small file: under 16 MB instead of 64 MB.
	Development bool
}

// Format makes a new data file. It refuses a path that exists already, and
// leaves nothing behind when it fails.
func Format(path string, config FormatConfig) error { return create(path, config, 0) }

// Recover makes a new data file for a replica that has lost its own, as Format
// does. The replica does not count before it has learnt from the others what it
// had promised them: it asks them when it is started.
func Recover(path string, config FormatConfig) error {
	if config.ReplicaCount == 1 {
		return fmt.Errorf("%w: nobody has a copy of what a cluster of one has lost", ErrReplicaCount)
	}
	var nonce [8]byte
	rand.Read(nonce[:])
	return create(path, config, max(1, binary.LittleEndian.Uint64(nonce[:])))
}

func create(path string, config FormatConfig, recovery uint64) error {
	switch {
	case config.ReplicaCount < 1 || config.ReplicaCount > vsr.ReplicasMax:
		return fmt.Errorf("%w: %d; a cluster has 1 to %d", ErrReplicaCount, config.ReplicaCount, vsr.ReplicasMax)
	case config.Standby && config.ReplicaCount == 1:
		return fmt.Errorf("%w: a cluster of one has no standbys", ErrReplicaCount)
	case config.Standby && (config.Replica < config.ReplicaCount || config.Replica >= config.ReplicaCount+vsr.StandbysMax):
		return fmt.Errorf("%w: standby %d of %d replicas; indexes of standbys are from %d to %d", ErrReplica, config.Replica,
			config.ReplicaCount, config.ReplicaCount, config.ReplicaCount+vsr.StandbysMax-1)
	case !config.Standby && config.Replica >= config.ReplicaCount:
		return fmt.Errorf("%w: replica %d of %d; indexes are from 0 to %d", ErrReplica, config.Replica, config.ReplicaCount,
			config.ReplicaCount-1)
	}
	layout := vsr.LayoutDefault(config.Development)
	if err := disk.Create(path, layout.GridOffset()); err != nil {
		return err
	}
	content := vsr.Format(vsr.FormatConfig{
		Cluster: config.Cluster, Replica: config.Replica, ReplicaCount: config.ReplicaCount, Layout: layout,
		Recovery: recovery,
	})
	if err := writeStart(path, content); err != nil {
		return errors.Join(fmt.Errorf("format %s: %w", path, err), os.Remove(path))
	}
	return nil
}

// writeStart makes content the durable beginning of the file.
func writeStart(path string, content []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteAt(content, 0)
	return errors.Join(err, file.Sync(), file.Close())
}
