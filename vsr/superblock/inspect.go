package superblock

// CopyState is what one of the copies turned out to be.
type CopyState string

// The states of a copy. Those that are not Current are rewritten by Repair.
const (
	// CopyCurrent: it holds the root that was chosen.
	CopyCurrent CopyState = "current"
	// CopyStale: it is whole but holds another root, as a crash in the middle of
	// an update leaves it; or no root could be chosen.
	CopyStale CopyState = "stale"
	// CopyBad: it is damaged; see CopyInfo.Reason.
	CopyBad CopyState = "bad"
)

// CopyInfo tells people about one copy.
type CopyInfo struct {
	Offset   int64 // in the data file, in bytes
	State    CopyState
	Sequence uint64 // 0 if it is bad
	Reason   string // what is wrong with a bad copy
}

// Copies tells about the copies as Open read them. It may be called after Open,
// also if that failed, and before Repair.
func (s *Superblock) Copies() [Copies]CopyInfo {
	var infos [Copies]CopyInfo
	for i := range infos {
		info := &infos[i]
		info.Offset, info.State = int64(i)*CopySlotSize, CopyBad
		if err := s.reads[i].Err; err != nil {
			info.Reason = err.Error()
			continue
		}
		state, sum, v := decodeCopy(s.reads[i].Buf, i)
		switch {
		case v != copyGood:
			info.Reason = v.String()
			continue
		case sum == s.checksum:
			info.State = CopyCurrent
		default:
			info.State = CopyStale
		}
		info.Sequence = state.Sequence
	}
	return infos
}
