package vsr

// quorumReplication returns how many replicas of a cluster of 1 to 6 must have
// made a prepare durable before it is committed. Flexible quorums let four
// replicas commit with two (Howard, Malkhi, Spiegelman: Flexible Paxos, 2016).
func quorumReplication(replicaCount uint8) int {
	return [...]int{1: 1, 2: 2, 3: 2, 4: 2, 5: 3, 6: 3}[replicaCount]
}
