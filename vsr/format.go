package vsr

import (
	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/vsr/superblock"
	"github.com/ledgerd/ledgerd/wire"
)

// Layout is what is fixed when a data file is made; see superblock.Layout.
type Layout = superblock.Layout

// LayoutDefault returns the layout of a new data file: under 64 MB while it is
// empty, under 16 MB for development.
func LayoutDefault(development bool) Layout { return superblock.DefaultLayout(development) }

// ReplicasMax is how many replicas a cluster has at most.
const ReplicasMax = wire.ReplicasMax

// StandbysMax is how many standbys it has at most; see wire.StandbysMax.
const StandbysMax = wire.StandbysMax

// FormatConfig says whose data file is made.
type FormatConfig struct {
	Cluster      u128.Uint128
	Replica      uint8
	ReplicaCount uint8 // 1 .. ReplicasMax
	Layout       Layout
	// Recovery, unless 0, makes a file that replaces a lost one: a number chosen
	// at random. The cluster must have more than one replica.
	Recovery uint64
}

// Format returns the bytes with which a new data file begins. The rest of it,
// up to Layout.GridOffset, is zero.
func Format(config FormatConfig) []byte {
	return superblock.Format(superblock.State{
		Cluster:      config.Cluster,
		Replica:      config.Replica,
		ReplicaCount: config.ReplicaCount,
		Layout:       config.Layout,
		Recovery:     config.Recovery,
		Checkpoint: superblock.Checkpoint{
			HeaderChecksum: rootChecksum(config.Cluster),
			// Ordinal 1 is the root's, so that the first client's request
			// has ordinal 2, as it has with TigerBeetle.
			NextOrdinal: 2,
		},
	})
}

// rootChecksum returns the checksum of op 0, the prepare with which every log
// of the cluster begins. It is never sent or stored.
func rootChecksum(cluster u128.Uint128) checksum.Sum {
	var b [wire.HeaderSize]byte
	root := wire.Prepare{Frame: wire.Frame{Cluster: cluster, Size: wire.HeaderSize}}
	root.Encode(b[:])
	return wire.Seal(b[:])
}
