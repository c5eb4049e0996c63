package heart

import (
	_ "fmt"

	_ "example.test/bad/leaf/a"
	_ "example.test/bad/rim" // want "heart must not import rim; it may import: leaf"
)
