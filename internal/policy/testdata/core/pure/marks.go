package pure

func stale(list []int) {
	//policy:ordered for no map
	for range list {
	}
}
