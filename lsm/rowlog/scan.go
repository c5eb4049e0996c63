package rowlog

// Scan calls visit for the rows from a position on and before another, in
// order, or in reverse, until visit returns false. Both are positions of rows,
// ends of rows, or 0, and limited to the rows there are. A row is good until
// visit returns. It reads ahead, more and more, whole blocks in the end. visit
// and done may be called before Scan returns; after an error, no row behind the
// damage was visited.
func (l *Log) Scan(from, to Position, descending bool, visit func(p Position, row []byte) bool, done func(error)) {
	panic("rowlog: Scan is being written")
}

type scan struct{}
