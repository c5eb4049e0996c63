package heart_test

import (
	_ "example.org/check"
	_ "example.test/bad/heart"
	_ "example.test/bad/support"
	_ "example.test/bad/young" // want "heart must not import young"
)
