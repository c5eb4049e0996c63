package server

import (
	"log/slog"

	"github.com/ledgerd/ledgerd/vsr"
)

// A diary logs where a replica stands, whenever that changes.
type diary struct {
	logger *slog.Logger
	last   standing
}

// standing is what of a replica an operator wants to know.
type standing struct {
	status string
	view   vsr.View
}

// note is called after every step.
func (d *diary) note(replica *vsr.Replica) {
	now := standing{replica.Status(), replica.View()}
	if now == d.last || now.status == "opening" {
		return
	}
	d.last = now
	d.logger.Info("replica", "status", now.status, "view", uint32(now.view), "primary", replica.Primary())
}
