package vsr

import (
	"testing"

	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/wire"
)

// logOf is a log as text: a letter for each op from 1 on, which says what it is,
// with the views in which they were made. An upper case letter is a rotten
// record, '?' one of which the header is lost, too.
type logOf struct {
	logView View
	log     string
	views   string // a digit for each op; "" is all zeros
	commit  Op
	// checkpoint is the last op of the checkpoint: it and those before it have no
	// headers.
	checkpoint Op
}

func sumOf(log string) checksum.Sum {
	if log == "" {
		return checksum.Sum{}
	}
	return checksum.Of([]byte(log))
}

// vote makes the vote of a log. truth is what the letters behind '?' are.
func (l logOf) vote(truth string) vote {
	log := []byte(l.log)
	v := vote{valid: true, logView: l.logView, head: Op(len(log)), commit: l.commit}
	for i, c := range log {
		if c == '?' {
			log[i] = truth[i]
		} else if c >= 'A' && c <= 'Z' {
			log[i] = c + 'a' - 'A'
		}
	}
	for i, c := range []byte(l.log) {
		var h wire.Prepare
		if c != '?' {
			h.Command, h.Op = wire.CommandPrepare, uint64(i+1)
			h.Checksum, h.Parent = sumOf(string(log[:i+1])), sumOf(string(log[:i]))
			if l.views != "" {
				h.View = uint32(l.views[i] - '0')
			}
			if c >= 'a' {
				v.present |= 1 << i
			}
		}
		v.headers = append(v.headers, h)
	}
	v.headers, v.present = v.headers[l.checkpoint:], v.present>>l.checkpoint
	v.checksum = sumOf(string(log))
	return v
}

func TestChooseLog(t *testing.T) {
	const wait = "wait"
	for name, c := range map[string]struct {
		count uint8
		votes []logOf
		want  string
	}{
		"one vote of three":                       {3, []logOf{{log: "ab"}}, wait},
		"the longest of a view":                   {3, []logOf{{log: "a"}, {log: "ab"}}, "ab"},
		"the later view, though shorter":          {3, []logOf{{logView: 1, log: "a"}, {logView: 2, log: "ax", views: "02"}, {logView: 1, log: "abc"}}, "ax"},
		"the later log_view, though of older ops": {3, []logOf{{logView: 5, log: "ab"}, {logView: 3, log: "ax", views: "03"}}, "ab"},
		"the beginning of a later log loses":      {5, []logOf{{logView: 1, log: "abcde", views: "00000"}, {logView: 1, log: "abx", views: "002"}, {log: "a"}}, "abx"},
		"nobody has what rotted, and two nack":    {3, []logOf{{log: "abC"}, {log: "ab"}, {log: "ab"}}, "ab"},
		"nobody has what rotted, and one nacks":   {3, []logOf{{log: "abC"}, {log: "ab"}}, wait},
		"rotten twice":                            {3, []logOf{{log: "abC"}, {log: "abC"}, {log: "ab"}}, wait},
		"rotten here, whole there":                {3, []logOf{{log: "aBc"}, {log: "ab"}}, "abc"},
		"without a header here, whole there":      {3, []logOf{{log: "a?c"}, {log: "ab"}}, "abc"},
		"another log is a nack":                   {3, []logOf{{logView: 2, log: "aB", views: "02"}, {logView: 1, log: "ax"}, {log: "a"}}, "a"},
		"a lost header is no nack":                {3, []logOf{{logView: 2, log: "aBc", views: "022"}, {logView: 1, log: "a?"}, {logView: 1, log: "a"}}, wait},
		"what is committed is not judged":         {3, []logOf{{log: "aBc", commit: 2}, {log: "a"}, {log: "a"}}, "abc"},
		"who has what is committed is not here":   {3, []logOf{{log: "a", commit: 2}, {log: "a"}}, wait},
		"a longer log of older ops, found again":  {3, []logOf{{logView: 1, log: "ax", views: "02", commit: 2}, {logView: 1, log: "abc"}}, "ax"},
		"a checkpoint, and a log of older ops":    {3, []logOf{{logView: 1, log: "abc"}, {logView: 1, log: "ax", checkpoint: 2, commit: 2}}, "ax"},
		"a log of older ops, and a checkpoint":    {3, []logOf{{logView: 1, log: "ax", checkpoint: 2, commit: 2}, {logView: 1, log: "abc"}}, "ax"},
		"a checkpoint, and what continues it":     {3, []logOf{{log: "ab", checkpoint: 2, commit: 2}, {log: "abcd", commit: 1}}, "abcd"},
		"a checkpoint, and its continuation":      {3, []logOf{{log: "abcd", checkpoint: 2, commit: 2}, {log: "ab", checkpoint: 2, commit: 2}}, "abcd"},
		"two checkpoints":                         {3, []logOf{{log: "ab", checkpoint: 2, commit: 2}, {log: "abc", checkpoint: 3, commit: 3}}, "abc"},
		"no op at all":                            {3, []logOf{{}, {}}, ""},
		"a quorum of six":                         {6, []logOf{{log: "a"}, {log: "a"}, {log: "a"}}, wait},
	} {
		var votes []vote
		for _, l := range c.votes {
			votes = append(votes, l.vote("abcdefgh"))
		}
		log, ok := chooseLog(votes, 0, c.count)
		switch {
		case !ok && c.want != wait:
			t.Errorf("%s: waits", name)
		case ok && c.want == wait:
			t.Errorf("%s: chose a log of %d ops", name, log.head)
		case ok && (log.head != Op(len(c.want)) || log.checksum != sumOf(c.want)):
			t.Errorf("%s: chose another log, of %d ops", name, log.head)
		}
		for i := range log.headers {
			if h := &log.headers[i]; ok && h.Checksum != sumOf(c.want[:h.Op]) {
				t.Errorf("%s: a header of another log", name)
			}
		}
	}
}

// A replication quorum and a view change quorum meet, and so many nacks leave
// no replication quorum.
func TestQuorums(t *testing.T) {
	for count := uint8(1); count <= wire.ReplicasMax; count++ {
		if quorumReplication(count)+quorumViewChange(count) <= int(count) {
			t.Errorf("%d replicas: quorums do not meet", count)
		}
		if int(count)-quorumNack(count) >= quorumReplication(count) {
			t.Errorf("%d replicas: %d nacks leave a quorum", count, quorumNack(count))
		}
		if quorumViewChange(count)*2 <= int(count) {
			t.Errorf("%d replicas: two views can begin at once", count)
		}
	}
}

// An executed request makes room for the next one of its client only if that is
// not pending already.
func TestExecutedRequestLeavesALaterOnePending(t *testing.T) {
	q := newRequests(4, 1000)
	client := u128.From64(7)
	q.pending[client] = checksum.Sum{2}
	q.committed(client, checksum.Sum{1})
	if !q.isPending(client) {
		t.Error("the later request is not pending any more")
	}
	q.committed(client, checksum.Sum{2})
	if q.isPending(client) {
		t.Error("pending for ever")
	}
}
