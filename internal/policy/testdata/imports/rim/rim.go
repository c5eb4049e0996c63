package rim

import (
	_ "example.org/check" // want "rim must not import example.org/check; it is for: test"
	_ "example.org/fine/below"
	_ "example.org/other" // want "rim imports example.org/other, which has no row"
	_ "example.test/bad/heart"
	_ "example.test/bad/support" // want "support is test support"
)
