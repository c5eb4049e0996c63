package forest

// The kinds of our blocks. They are stored: append only.
const (
	kindAccounts          = 16
	kindEvents            = 17
	kindAccountsDirectory = 18
	kindEventsDirectory   = 19
	kindManifest          = 20
	kindHeads             = 21
	kindStatuses          = 22

	kindTrees = 32 // plus the number of the tree
)

// KindName says for people what the blocks of a kind hold; "" if the kind is not
// one of the forest's.
func KindName(kind uint8) string {
	switch kind {
	case kindAccounts:
		return "accounts"
	case kindEvents:
		return "events"
	case kindAccountsDirectory:
		return "directory of accounts"
	case kindEventsDirectory:
		return "directory of events"
	case kindManifest:
		return "manifest"
	case kindHeads:
		return "newest rows of accounts"
	case kindStatuses:
		return "statuses of pending transfers"
	}
	if tree := int(kind) - kindTrees; tree >= 0 && tree < treeCount {
		return "tree of " + treeShapes[tree].Name
	}
	return ""
}
