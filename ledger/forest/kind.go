package forest

// KindName says for people what the blocks of a kind hold; "" if the kind is not
// one of the forest's.
func KindName(kind uint8) string {
	switch kind {
	case kindAccounts:
		return "accounts"
	case kindTransfers:
		return "transfers"
	case kindExpiries:
		return "expiries"
	case kindBurnt:
		return "burnt transfer ids"
	case kindManifest:
		return "manifest"
	}
	return ""
}
