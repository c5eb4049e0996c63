package vsr

// quorumReplication returns how many replicas of a cluster of 1 to 6 must have
// made a prepare durable before it is committed. Flexible quorums let four
// replicas commit with two (Howard, Malkhi, Spiegelman: Flexible Paxos, 2016).
func quorumReplication(replicaCount uint8) int {
	return [...]int{1: 1, 2: 2, 3: 2, 4: 2, 5: 3, 6: 3}[replicaCount]
}

// quorumViewChange returns how many replicas must have left a view before
// another can begin: so many that they meet every replication quorum.
func quorumViewChange(replicaCount uint8) int {
	return [...]int{1: 1, 2: 2, 3: 2, 4: 3, 5: 3, 6: 4}[replicaCount]
}

// quorumNack returns how many replicas that have not made a prepare durable
// prove that it was never committed: so many that the others are no
// replication quorum.
func quorumNack(replicaCount uint8) int {
	return int(replicaCount) - quorumReplication(replicaCount) + 1
}

// WitnessesNeeded returns how many other replicas have to answer one that has
// lost its data file before it counts again: so many that they meet every quorum
// of which it may have been a part.
func WitnessesNeeded(replicaCount uint8) int { return quorumNack(replicaCount) }
