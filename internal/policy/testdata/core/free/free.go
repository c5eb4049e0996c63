package free

import "time"

// Table is a map that another package declares.
type Table map[string]int

func Now() time.Time {
	go func() {}()
	return time.Now()
}
