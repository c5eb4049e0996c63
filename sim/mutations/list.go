package main

// mutations are bugs that look likely, or that would be terrible. What one breaks
// is said in its name; why it is wrong, in the comments of the code that it
// changes and in docs/REPLICATION.md.
var mutations = []mutation{
	// What is durable, and when.
	{name: "primary counts itself before its record is durable", edits: []edit{{
		"vsr/replica_prepare.go",
		"	r.pipeline.push(prepared{header: header, message: message})\n",
		"	r.pipeline.push(prepared{header: header, message: message, acks: 1 << r.root.Replica})\n",
	}}},
	{name: "backup acknowledges what is not durable", edits: []edit{{
		"vsr/replica_backup.go",
		"	op := Op(r.journal.DurableOp())\n",
		"	op := r.head.op\n",
	}}},
	{name: "acknowledge a record without spare before its witness", edits: []edit{{
		"vsr/journal/append.go",
		"if !slot.spared && slot.op > j.witnessedOp {",
		"if false {",
	}}},
	{name: "witness written before the records of all ops up to it", edits: []edit{{
		"vsr/journal/append.go",
		"for j.recordedOp < j.headOp && j.appends[(j.recordedOp+1)%AppendsMax].writing == 0 {",
		"for j.recordedOp < j.headOp && s.writing == 0 && j.appends[(j.recordedOp+1)%AppendsMax].message != nil {",
	}}},
	{name: "failed write of a record ignored", edits: []edit{{
		"vsr/journal/append.go",
		"	if r.Err != nil {\n		j.fail(fmt.Errorf(\"journal: write the record",
		"	if false {\n		j.fail(fmt.Errorf(\"journal: write the record",
	}}},
	{name: "superblock of a checkpoint without the sync before it", edits: []edit{{
		"vsr/replica_checkpoint.go",
		"	r.options.Storage.Submit(&r.naming.sync)\n",
		"	r.naming.sync.Done(&r.naming.sync)\n",
	}}},
	{name: "failed sync of a checkpoint ignored", edits: []edit{{
		"vsr/replica_checkpoint.go",
		"		if io.Err != nil {",
		"		if false {",
	}}},
	{name: "view not made durable before it is joined", edits: []edit{{
		"vsr/replica_view.go",
		"		root.View = max(root.View, uint32(g.entering))\n",
		"",
	}, {
		"vsr/replica_view.go",
		"	r.view = View(r.root.View)\n	if r.view < r.group.entering {",
		"	r.view = r.group.entering\n	if r.view < r.group.entering {",
	}}},
	{name: "acknowledge before log_view is durable", edits: []edit{{
		"vsr/replica_view.go",
		"	g := &r.group\n	g.updating = true\n	r.updateRoot(func(root *superblock.State) {\n		root.LogView = uint32(r.view)",
		"	g := &r.group\n	r.enterNormal()\n	g.updating = true\n	r.updateRoot(func(root *superblock.State) {\n		root.LogView = uint32(r.view)",
	}}},

	// What is damaged.
	{name: "record accepted without the checksum of its body", edits: []edit{{
		"vsr/journal/read.go",
		"if err := wire.VerifyBody(record[:frame.Size]); err != nil {",
		"if err := wire.VerifyBody(record[:frame.Size]); err != nil && false {",
	}}},
	{name: "block accepted without the checksum of its content", test: "vsr/grid TestDamageIsDetected", edits: []edit{{
		"vsr/grid/block.go",
		"	if got != checksum.Sum(buf[:16]) {",
		"	if false {",
	}}},
	{name: "damaged record taken for the end of the log", test: "vsr/journal TestRotIsNeverTheEnd", edits: []edit{{
		"vsr/journal/recover.go",
		"	existed := max(r.lastWitness, j.start.CommitMax)\n	switch {",
		"	existed := max(r.lastWitness, j.start.CommitMax)\n	switch {\n	case existed > 0:\n		r.makeStable()",
	}}},
	{name: "a vote with a log that has lost its end", test: "vsr TestLogThatHasLostItsEndIsNoVote", edits: []edit{{
		"vsr/replica_view.go",
		"!r.journal.Quiet() || r.journal.LostOp() != 0 {",
		"!r.journal.Quiet() {",
	}}},
	{name: "nack for a rotten record", test: "vsr TestChooseLog", edits: []edit{{
		"vsr/canonical.go",
		"	return header != nil && header.Checksum != sum\n",
		"	_, present := v.at(op)\n	return header == nil || header.Checksum != sum || !present\n",
	}}},
	{name: "truncation by one nack", test: "vsr TestChooseLog", edits: []edit{{
		"vsr/canonical.go",
		"	if nacks >= quorumNack(replicaCount) {",
		"	if nacks >= 1 {",
	}}},
	{name: "view begun by fewer votes than a quorum", edits: []edit{{
		"vsr/quorum.go",
		"1: 1, 2: 2, 3: 2, 4: 3, 5: 3, 6: 4}",
		"1: 1, 2: 1, 3: 1, 4: 2, 5: 2, 6: 3}",
	}, {
		"vsr/quorum.go",
		"	return int(replicaCount) - quorumReplication(replicaCount) + 1\n",
		"	return int(replicaCount) - quorumReplication(replicaCount)\n",
	}}},
	{name: "committed by fewer replicas than a quorum", edits: []edit{{
		"vsr/replica_commit.go",
		"bits.OnesCount8(entry.acks) >= r.quorum &&",
		"bits.OnesCount8(entry.acks) >= max(1, r.quorum-1) &&",
	}}},
	{name: "acknowledgement of another log counted", test: "vsr TestAcknowledgementNamesThePrepare", edits: []edit{{
		"vsr/replica_backup.go",
		"if sum, ok := r.checksumAt(Op(h.Op)); !ok || sum != h.ChecksumOf {",
		"if _, ok := r.checksumAt(Op(h.Op)); !ok {",
	}}},
	{name: "longest log chosen, not that of the highest log_view", test: "vsr TestChooseLog", edits: []edit{{
		"vsr/canonical.go",
		"v.valid && v.logView == logView && v.head",
		"v.valid && v.head",
	}}},
	{name: "restarted backup trusts the end of its log", test: "vsr TestRestartedBackupAsksWhereItsLogEnds", edits: []edit{{
		"vsr/group.go",
		"	case ok && View(header.View) == r.view || r.head.op == 0 && r.view == 0:",
		"	case true:",
	}}},
	{name: "restarted primary resumes its view", edits: []edit{{
		"vsr/group.go",
		"		r.status = statusViewChange\n		r.enterView(r.view + 1)\n",
		"		r.status = statusNormal\n",
	}}},
	{name: "log not cut off where it differs from that of the view", edits: []edit{{
		"vsr/replica_repair.go",
		"	g.cut.set, g.cut.op = true, op\n",
		"	_ = g\n",
	}}},
	{name: "backup executes what is not committed", edits: []edit{{
		"vsr/group.go",
		"next > min(r.commitMax, r.certain())",
		"next > r.certain()",
	}}},
	{name: "primary serves before it has executed what it took over", test: "vsr TestNewPrimaryExecutesWhatItTakesOver", edits: []edit{{
		"vsr/replica_inherit.go",
		"r.commitMin < min(r.commitMax, r.head.op)) {\n		return false",
		"r.commitMin < min(r.commitMax, r.head.op)) {\n		return r.commit.stage == stageIdle && r.pipeline.count == 0",
	}, {
		"vsr/replica_inherit.go",
		"{ return r.leads() && r.pipelined() < r.head.op }",
		"{ return false }",
	}}},
	{name: "primary that hears of nobody never abdicates", test: "vsr TestPrimaryAbdicates", edits: []edit{{
		"vsr/replica_backup.go",
		"	return heard < r.quorum\n",
		"	return false\n",
	}}},

	// Requests and their sessions.
	{name: "repeated request executed again", edits: []edit{{
		"vsr/replica_request.go",
		"		return resend, 0\n",
		"		return accept, 0\n",
	}}},
	{name: "request queued again while it is pending", edits: []edit{{
		"vsr/requests.go",
		"	_, ok := q.pending[client]\n	return ok\n",
		"	return false\n",
	}}},
	{name: "new primary forgets the requests that it has taken over", edits: []edit{{
		"vsr/replica_inherit.go",
		"		r.requests.pending[request.Client] = request.RequestChecksum\n",
		"",
	}}},
	{name: "executed request makes room for a later one that is pending", test: "vsr TestExecutedRequestLeavesALaterOnePending", edits: []edit{{
		"vsr/requests.go",
		"	if q.pending[client] == request {",
		"	if true {",
	}}},
	{name: "session used last evicted, not the one used first", edits: []edit{{
		"vsr/sessions.go",
		"s.bySlot[slot].reply.Commit < s.bySlot[oldest].reply.Commit",
		"s.bySlot[slot].reply.Commit > s.bySlot[oldest].reply.Commit",
	}}},
	{name: "sessions left out of the checkpoint", edits: []edit{{
		"vsr/sessions.go",
		"		if entry.message == nil {\n			continue",
		"		if entry.message == nil || true {\n			continue",
	}}},

	// Time.
	{name: "timestamps follow the clock back", edits: []edit{{
		"vsr/replica_prepare.go",
		"	return max(r.timestamp+1, now), ok\n",
		"	return now, ok\n",
	}}},
	{name: "new primary begins time anew", edits: []edit{{
		"vsr/replica_inherit.go",
		"		r.timestamp = max(r.timestamp, header.Timestamp)\n",
		"		r.timestamp = 0 * header.Timestamp\n",
	}}},
	{name: "pulse ordered while one is pending", edits: []edit{{
		"vsr/replica_prepare.go",
		"	if r.pulse > r.commitMin {",
		"	if false {",
	}}},

	// Blocks, checkpoints and the trees in them.
	{name: "released block reused at once", edits: []edit{{
		"vsr/grid/freeset.go",
		"	f.releasing.set(a)\n",
		"	f.acquired.unset(a)\n	f.lowest = 0\n",
	}}},
	{name: "blocks overwritten before the checkpoint that frees them is named", test: "vsr/grid TestWritesWaitForTheCheckpoint", edits: []edit{{
		"vsr/grid/write.go",
		"	if g.checkpoint.pending {",
		"	if false {",
	}}},
	{name: "checkpoint named before the one before it is on a quorum", test: "vsr TestCheckpointWaitsForAQuorumToHaveTheOneBefore", edits: []edit{{
		"vsr/replica_checkpoint.go",
		"	return count >= r.quorum\n",
		"	return true\n",
	}}},
	{name: "journal overwrites what the checkpoint does not have", edits: []edit{{
		"vsr/journal/journal.go",
		"end-kept.Offset <= j.config.RingSize &&",
		"end-kept.Offset <= 2*j.config.RingSize &&",
	}}},
	{name: "checkpoint taken over without the mark that blocks lack", edits: []edit{{
		"vsr/replica_sync.go",
		"root.Checkpoint, root.Previous, root.Syncing = *checkpoint, *checkpoint, true",
		"root.Checkpoint, root.Previous, root.Syncing = *checkpoint, *checkpoint, false",
	}}},
	{name: "blocks handed on that were not received", test: "vsr/grid TestOnlyWhatWasReceivedIsHandedOn", edits: []edit{{
		"vsr/grid/transfer.go",
		"		if r.received.has(a) {",
		"		if r.contents[a] != (checksum.Sum{}) {",
	}}},
	{name: "tombstone lost in a merge", test: "lsm TestMergeAgainstTwin", edits: []edit{{
		"lsm/merge.go",
		"	if e.Value != table.Tombstone || !w.bottom {",
		"	if e.Value != table.Tombstone {",
	}}},

	// A replica that has lost its data file.
	{name: "replica without memory votes at once", edits: []edit{{
		"vsr/replica_amnesia.go",
		"func (r *Replica) Recovering() bool { return r.root.Recovery != 0 }",
		"func (r *Replica) Recovering() bool { return false }",
	}}},
	{name: "replica without memory believes the first who answers", test: "vsr TestLostDataFileWaitsForWitnesses", edits: []edit{{
		"vsr/replica_amnesia.go",
		"bits.OnesCount8(g.witnesses) < WitnessesNeeded(r.root.ReplicaCount)",
		"bits.OnesCount8(g.witnesses) < 1",
	}}},
	{name: "replica without memory believes answers to others", test: "vsr TestLostDataFileBelievesOnlyItsAnswers", edits: []edit{{
		"vsr/replica_amnesia.go",
		"if !r.Recovering() || h.Nonce != r.root.Recovery {",
		"if !r.Recovering() {",
	}}},
	{name: "replica without memory has a vote about the log", test: "vsr TestLostDataFileIsNoVote", edits: []edit{{
		"vsr/replica_view.go",
		"	case r.changesView() && h.Nonce != 0:",
		"	case false:",
	}}},
	{name: "replica without memory takes any log for the primary's", test: "vsr TestLostDataFile", edits: []edit{{
		"vsr/replica_amnesia.go",
		"		View(h.View) != r.view || h.Replica != r.primaryOf(r.view) {",
		"		View(h.View) != r.view {",
	}}},
	{name: "replica without memory goes back to a view that it had left", test: "vsr TestLostDataFileKeepsPromises", edits: []edit{{
		"vsr/replica_amnesia.go",
		"r.enterView(r.view + View(r.root.ReplicaCount) - 1)",
		"r.enterView(r.view + 1)",
	}}},
	{name: "replica without memory is a witness", test: "vsr TestLostDataFilesAreNoWitnesses", edits: []edit{{
		"vsr/replica_amnesia.go",
		"	case r.Recovering() || r.isPrimary() && !r.leads():",
		"	case r.isPrimary() && !r.leads():",
	}}},
	{name: "replica without memory counts before it has the log", test: "vsr TestLostDataFileWaitsForTheLog", edits: []edit{{
		"vsr/replica_amnesia.go",
		"	r.follow(Op(h.Op), h.ChecksumOf, Op(h.Commit), headers)",
		"	g.goal.set, g.goal.op, g.goal.checksum = true, r.head.op, r.head.checksum",
	}}},
	{name: "voice of a standby is heard", test: "vsr TestStandbyHasNoVoice", edits: []edit{{
		"vsr/replica_backup.go",
		"; ok && !r.standby() {",
		"; ok {",
	}, {
		"vsr/replica_standby.go",
		"	default:\n		return false\n	}\n",
		"	}\n",
	}}},
}
