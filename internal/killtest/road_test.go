package killtest

import (
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// A weather is what a road does to the bytes on it.
type weather struct {
	closed  bool          // connections end, and new ones end at once
	blocked bool          // bytes stay where they are, as if packets were lost
	delay   time.Duration // bytes are late by up to so much
	rotten  int           // one in so many pieces has a flipped bit; 0 for none
}

// A road is a proxy on loopback: whatever connects to it is connected to a
// server's port, and its bytes pass through a weather.
type road struct {
	listener net.Listener
	target   string // port

	mu      sync.Mutex
	weather weather
	changed chan struct{} // closed by the next change of weather
	ends    map[net.Conn]struct{}
}

// openRoad makes a road to a port.
func openRoad(t *testing.T, port string) *road {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &road{listener: listener, target: port, changed: make(chan struct{}), ends: map[net.Conn]struct{}{}}
	go r.accept()
	t.Cleanup(func() {
		listener.Close()
		r.set(weather{closed: true})
	})
	return r
}

// port is where the road begins.
func (r *road) port() string {
	_, port, _ := net.SplitHostPort(r.listener.Addr().String())
	return port
}

// set changes the weather.
func (r *road) set(w weather) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w == r.weather {
		return
	}
	r.weather = w
	close(r.changed)
	r.changed = make(chan struct{})
	if w.closed {
		for end := range r.ends {
			end.Close()
		}
	}
}

// now returns the weather, and what is closed when it changes.
func (r *road) now() (weather, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.weather, r.changed
}

func (r *road) accept() {
	for {
		near, err := r.listener.Accept()
		if err != nil {
			return
		}
		go r.carry(near)
	}
}

// carry serves one connection until either end closes it.
func (r *road) carry(near net.Conn) {
	far, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", r.target))
	if err != nil || !r.admit(near, far) {
		near.Close()
		if far != nil {
			far.Close()
		}
		return
	}
	var both sync.WaitGroup
	both.Go(func() { r.pump(near, far) })
	both.Go(func() { r.pump(far, near) })
	both.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.ends, near)
	delete(r.ends, far)
}

// admit takes note of a connection, unless the road is closed.
func (r *road) admit(ends ...net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.weather.closed {
		return false
	}
	for _, end := range ends {
		r.ends[end] = struct{}{}
	}
	return true
}

// pump moves bytes one way, and closes both ends when that is over.
func (r *road) pump(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	piece := make([]byte, 64<<10)
	for {
		n, err := from.Read(piece)
		if err != nil || !r.pass(piece[:n]) {
			return
		}
		if _, err := to.Write(piece[:n]); err != nil {
			return
		}
	}
}

// pass lets the weather have its way with a piece; false if it is lost.
func (r *road) pass(piece []byte) bool {
	w, changed := r.now()
	for w.blocked && !w.closed {
		<-changed
		w, changed = r.now()
	}
	if w.delay > 0 {
		time.Sleep(rand.N(w.delay))
	}
	if w.rotten > 0 && rand.N(w.rotten) == 0 {
		piece[rand.N(len(piece))] ^= 1 << rand.N(8)
	}
	return !w.closed
}
