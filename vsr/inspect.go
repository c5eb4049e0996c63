package vsr

import (
	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/wire"
)

// BlockKindSessions marks the blocks of a session table on the grid.
const BlockKindSessions = blockKindSessions

// SessionInfo tells people about one session of a checkpoint.
type SessionInfo struct {
	Client    u128.Uint128
	Number    Ordinal
	Release   wire.Release // the client's
	Request   uint32       // number of its latest request
	ReplySize int          // of the reply to that, in bytes
}

// DecodeSessions reads the session table of a checkpoint, the stream that
// superblock.Checkpoint.Sessions names, and returns its sessions by slot.
// sessionsMax is that of the data file.
func DecodeSessions(table []byte, sessionsMax uint32) ([]SessionInfo, error) {
	decoded := newSessions(int(sessionsMax))
	if err := decoded.decode(table, new(buffer.Pool)); err != nil {
		return nil, err
	}
	var infos []SessionInfo
	for slot := range decoded.bySlot {
		if s := &decoded.bySlot[slot]; s.message != nil {
			infos = append(infos, SessionInfo{
				Client: s.reply.Client, Number: s.number, Release: s.reply.Release,
				Request: s.reply.Request, ReplySize: len(s.message.Bytes),
			})
		}
	}
	return infos, nil
}
