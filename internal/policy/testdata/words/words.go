package words

const (
	a = "/work/main"       // want "/work/ is a path of one machine"
	b = "see /root/.cache" // want "/root/ is a path of one machine"
	c = "Issue #12"        // want "cites a number"
	d = "/workers/root/x and ./work/main and https://example.org/root/"
	e = "the issue of 3 accounts"
)
