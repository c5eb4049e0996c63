package client_test

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"time"

	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/wire"
)

// fault is what a fakeServer does to one request instead of answering it.
type fault int

const (
	healthy     fault = iota
	loseRequest       // not executed, no answer
	loseReply         // executed, no answer
	closeBefore       // not executed, connection closed
	closeAfter        // executed, connection closed
	twice             // answered twice
	garble            // answered by a reply with a broken checksum
	halfReply         // half the answer, then closed
	misdirected       // an answer to another client first
	evictBody         // evicted, reason 5
	evictNone         // evicted, reason 1
)

// fakeServer is a cluster of one replica that listens on loopback. It keeps
// sessions as PROTOCOL.md section 8 says, and misbehaves as it is told.
type fakeServer struct {
	listener net.Listener
	running  sync.WaitGroup

	mu            sync.Mutex
	limit         uint32         // batch_size_limit
	answerCluster ledger.Uint128 // in what it sends
	refuse        bool           // evict clients that register, reason 3
	delay         time.Duration  // before each answer
	faults        []fault        // for the next requests, each used once
	hold          chan struct{}  // not nil: answers wait until it is closed

	conns    map[net.Conn]bool
	sessions map[ledger.Uint128]*fakeSession
	ledger   fakeLedger
	op       uint64
	requests int // executed ones, register not counted
	received int // all that came, ditto
	batches  int // in the executed ones
}

type fakeSession struct {
	number uint64
	latest wire.Reply
	reply  []byte
}

// startFake starts a server for cluster 0.
func startFake() *fakeServer { return startFakeAt("127.0.0.1:0") }

func startFakeAt(address string) *fakeServer {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		panic(err)
	}
	s := &fakeServer{
		listener: listener,
		limit:    wire.BodySizeMax,
		conns:    make(map[net.Conn]bool),
		sessions: make(map[ledger.Uint128]*fakeSession),
		op:       1,
	}
	s.running.Go(s.accept)
	return s
}

// Addr returns the address to connect to.
func (s *fakeServer) Addr() string { return s.listener.Addr().String() }

// Close stops the server. Its sessions stay: see restart.
func (s *fakeServer) Close() {
	s.listener.Close()
	s.disconnect()
	s.release()
	s.running.Wait()
}

// restart returns a server at the same address that has the sessions and the
// ledger of s, which must be closed.
func (s *fakeServer) restart() *fakeServer {
	n := startFakeAt(s.Addr())
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sessions, n.ledger, n.op = s.sessions, s.ledger, s.op
	return n
}

// disconnect closes all connections.
func (s *fakeServer) disconnect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		conn.Close()
	}
}

// set changes the server's ways under its lock.
func (s *fakeServer) set(change func(s *fakeServer)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// block makes answers wait until release is called.
func (s *fakeServer) block() { s.set(func(s *fakeServer) { s.hold = make(chan struct{}) }) }

func (s *fakeServer) release() {
	s.set(func(s *fakeServer) {
		if s.hold != nil {
			close(s.hold)
			s.hold = nil
		}
	})
}

func (s *fakeServer) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.set(func(s *fakeServer) { s.conns[conn] = true })
		s.running.Go(func() {
			s.serve(conn)
			conn.Close()
			s.set(func(s *fakeServer) { delete(s.conns, conn) })
		})
	}
}

// serve answers one connection, message by message.
func (s *fakeServer) serve(conn net.Conn) {
	buf := make([]byte, wire.MessageSizeMax)
	for {
		if _, err := io.ReadFull(conn, buf[:wire.HeaderSize]); err != nil {
			return
		}
		frame, err := wire.VerifyHeader(buf)
		if err != nil || !frame.Cluster.IsZero() {
			return
		}
		message := buf[:frame.Size]
		if _, err := io.ReadFull(conn, message[wire.HeaderSize:]); err != nil || wire.VerifyBody(message) != nil {
			return
		}
		answers, hangUp := s.message(message)
		for _, answer := range answers {
			if _, err := conn.Write(answer); err != nil {
				return
			}
		}
		if hangUp {
			return
		}
	}
}

// message returns the answers to one message, and whether to hang up then.
func (s *fakeServer) message(message []byte) (answers [][]byte, hangUp bool) {
	var ping wire.PingClient
	if ping.Decode(message) == nil {
		pong := wire.PongClient{Frame: s.frame(0), PingTimestampMonotonic: ping.PingTimestampMonotonic}
		b := make([]byte, wire.HeaderSize)
		pong.Encode(b)
		wire.Seal(b)
		return [][]byte{b}, false
	}
	var request wire.Request
	if request.Decode(message) != nil {
		return nil, false
	}
	s.mu.Lock()
	hold, delay := s.hold, s.delay
	if request.Request > 0 {
		s.received++
	}
	s.mu.Unlock()
	if hold != nil && request.Request > 0 {
		<-hold
	}
	time.Sleep(delay)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.request(&request, message[wire.HeaderSize:])
}

// request answers a request, or misbehaves. The caller holds s.mu.
func (s *fakeServer) request(request *wire.Request, body []byte) (answers [][]byte, hangUp bool) {
	f := healthy
	if request.Request == 0 && s.refuse {
		return s.evict(request, wire.EvictionClientReleaseTooHigh), false
	}
	if request.Request > 0 && len(s.faults) > 0 {
		f, s.faults = s.faults[0], s.faults[1:]
	}
	switch f {
	case loseRequest:
		return nil, false
	case closeBefore:
		return nil, true
	case evictBody:
		return s.evict(request, wire.EvictionInvalidRequestBody), false
	case evictNone:
		return s.evict(request, wire.EvictionNoSession), false
	}
	reply := s.execute(request, body)
	if reply == nil {
		return nil, false
	}
	switch f {
	case loseReply:
		return nil, false
	case closeAfter:
		return nil, true
	case twice:
		return [][]byte{reply, reply}, false
	case garble:
		broken := append([]byte(nil), reply...)
		broken[len(broken)-1] ^= 1
		return [][]byte{broken}, false
	case halfReply:
		return [][]byte{reply[:len(reply)/2]}, true
	case misdirected:
		return append(s.evict(&wire.Request{Client: ledger.Uint128{Lo: 12345}}, wire.EvictionNoSession), reply), false
	}
	return [][]byte{reply}, false
}

func (s *fakeServer) frame(bodySize int) wire.Frame {
	return wire.Frame{Cluster: s.answerCluster, Size: uint32(wire.HeaderSize + bodySize), View: 1, Release: wire.Release0_17_9}
}

func (s *fakeServer) evict(request *wire.Request, reason wire.EvictionReason) [][]byte {
	eviction := wire.Eviction{Frame: s.frame(0), Client: request.Client, Reason: reason}
	b := make([]byte, wire.HeaderSize)
	eviction.Encode(b)
	wire.Seal(b)
	return [][]byte{b}
}

// execute carries a request out at most once, and returns the reply; nil if the
// request is to be ignored.
func (s *fakeServer) execute(request *wire.Request, body []byte) []byte {
	session := s.sessions[request.Client]
	switch {
	case session == nil && request.Request > 0:
		return s.evict(request, wire.EvictionNoSession)[0]
	case session == nil:
		session = &fakeSession{number: s.op + 1}
		s.sessions[request.Client] = session
	case request.Request == session.latest.Request:
		if request.Checksum != session.latest.RequestChecksum {
			return nil
		}
		return session.reply
	case request.Request != session.latest.Request+1,
		request.Parent != session.latest.Context,
		request.Session != session.number:
		return nil
	}
	s.op++
	var results []byte
	if request.Operation == wire.OperationRegister {
		results = make([]byte, wire.RegisterReplySize)
		binary.LittleEndian.PutUint32(results, s.limit)
	} else {
		s.requests++
		s.batches += int(binary.LittleEndian.Uint16(body[len(body)-2:]))
		results = s.ledger.execute(ledger.Operation(request.Operation), body)
	}
	session.latest = wire.Reply{
		Frame:           s.frame(len(results)),
		RequestChecksum: request.Checksum,
		Client:          request.Client,
		Op:              s.op,
		Commit:          s.op,
		Timestamp:       s.op,
		Request:         request.Request,
		Operation:       request.Operation,
	}
	session.reply = make([]byte, wire.HeaderSize+len(results))
	session.latest.Encode(session.reply)
	copy(session.reply[wire.HeaderSize:], results)
	session.latest.Context, _ = wire.SealReply(session.reply)
	return session.reply
}
