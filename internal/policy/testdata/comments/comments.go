// Package comments has exported names with and without comments.
package comments

// Said is documented.
type Said struct{ Field int }

type Unsaid struct{}

func (Said) String() string { return "" }

func (*Said) Run() {} // want "exported Run has no comment"

func (hidden) Run() {}

type hidden struct{}

type (
	// First is documented.
	First int

	Second int
)

// Both are documented by one comment.
const (
	One = 1
	Two = 2
)

var (
	Three = 3 // Three has a comment behind it.

	Four = 4

	five = 5
)

func Alone() {}

// Spoken is documented.
func Spoken() {}
