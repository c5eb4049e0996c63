package block

// Grid is where a tree or a log of rows keeps its blocks. All methods but TryPart
// only enqueue; completions come later, from the goroutine that owns the Grid,
// never from within the call. A fault of writing stops the replica and is not
// told.
type Grid interface {
	// PayloadSize returns how many bytes a block holds.
	PayloadSize() int
	// Acquire takes a free block. The choice depends on nothing but the order
	// of calls.
	Acquire() Address
	// Release gives a block back. It stays readable, and is not taken again,
	// until the second checkpoint from then on.
	Release(Address)
	// Write writes an acquired block. fill is called once, now or later, and
	// returns how much of dst it used.
	Write(a Address, kind uint8, fill func(dst []byte) int, done func(Ref))
	// Read reads a block and verifies it. The payload is good until done
	// returns.
	Read(ref Ref, done func(payload []byte, err error))
	Parts
}

// Parts is the side of a Grid that reads less than a block.
type Parts interface {
	// TryPart returns a part of a block's payload if it is in a cache. It is
	// good until the caller returns to the loop.
	TryPart(ref Ref, offset, size int) (part []byte, ok bool)
	// ReadPart reads a part of a block's payload and verifies it by its
	// xxhash64. The part is good until done returns.
	ReadPart(ref Ref, offset, size int, sum uint64, done func(part []byte, err error))
}
