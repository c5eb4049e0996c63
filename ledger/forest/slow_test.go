package forest

import "testing"

// TestSlowDisk demands that few blocks of rows wait to be written when the disk
// takes one only if a request waits for that and for nothing else.
func TestSlowDisk(t *testing.T) {
	for name, fill := range map[string]func(s *story, batch int, f *Forest){
		"accounts":  func(s *story, batch int, f *Forest) { s.accounts(1000+batch*200, 200, f) },
		"transfers": func(s *story, _ int, f *Forest) { s.plain(300, f) },
	} {
		s, grid := newStory(t), newMemoryGrid(smallPage)
		grid.slow = true
		f := newTestForest(grid)
		s.createAccounts(f)
		most := 0
		for batch := range 120 {
			fill(s, batch, f)
			most = max(most, len(grid.late))
		}
		const limit = 64 + 10 // and what a request adds
		if blocks := f.tables.events.Stats().Blocks + f.tables.accounts.Stats().Blocks; blocks < 2*limit {
			t.Errorf("%s: only %d blocks of rows", name, blocks)
		}
		if most < 64 || most > limit {
			t.Errorf("%s: %d blocks wait to be written, at most %d may", name, most, limit)
		}
		if _, err := open(grid, checkpoint(t, f, grid)); err != nil {
			t.Error(err)
		}
	}
}
