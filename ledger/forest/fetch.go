package forest

// wave waits for several reads that are in flight together. It is used again
// and again.
type wave struct {
	open int // reads that have not come, and one until end
	err  error
	then func(error)
	came func(error) // arrive, made once
}

// begin opens a wave. then is called once, after end and after the last read,
// with the first error.
func (w *wave) begin(then func(error)) {
	if w.open != 0 {
		panic("forest: a wave within a wave")
	}
	if w.came == nil {
		w.came = w.arrive
	}
	w.open, w.err, w.then = 1, nil, then
}

// read announces a read, and returns what must be called when it is done.
func (w *wave) read() func(error) {
	w.open++
	return w.came
}

// end says that all reads of the wave were announced.
func (w *wave) end() { w.arrive(nil) }

func (w *wave) arrive(err error) {
	if w.err == nil {
		w.err = err
	}
	w.open--
	if w.open == 0 {
		w.then(w.err)
	}
}
