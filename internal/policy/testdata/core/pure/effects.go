package pure

import (
	. "bytes"       // want "dot import"
	old "math/rand" // want "must not import math/rand"
	"math/rand/v2"
	"net" // want "must not import net"
	"net/netip"
	"os"   // want "must not import os"
	"sync" // want "must not import sync"
	"sync/atomic"
	clock "time"
)

type state struct {
	mutex  sync.Mutex
	count  atomic.Uint64
	events chan int // want "no channels"
	source *rand.Rand
	at     clock.Time
	peer   netip.Addr
	conn   net.Conn
	all    Buffer
}

func (s *state) effects(events <-chan int) { // want "no channels"
	go s.effects(nil)  // want "starts no goroutine"
	s.events <- 1      // want "sends on no channel"
	<-events           // want "receives from no channel"
	for range events { // want "receives from no channel"
	}
	select {}                     // want "no select"
	_ = clock.Now()               // want "must not use time.Now"
	clock.Sleep(5 * clock.Second) // want "must not use time.Sleep"
	_ = clock.Since               // want "must not use time.Since"
	_ = rand.IntN(5)              // want "must not use math/rand/v2.IntN"
	s.source = rand.New(rand.NewPCG(1, 2))
	_ = s.source.IntN(5) + old.Int()
	_ = os.Args
}

// shadow uses a variable that is named like an import.
func shadow(clock interface{ Now() int }) int { return clock.Now() }
