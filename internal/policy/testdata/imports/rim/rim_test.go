package rim

import (
	_ "example.test/bad/leaf/a"
	_ "example.test/bad/young"
)
