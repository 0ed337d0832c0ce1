package mep

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Ends of a session that are nobody's fault.
var (
	errLeaving    = errors.New("this site stops")
	errPeerStops  = errors.New("the peer stops as planned")
	errSuperseded = errors.New("a newer connection with the same site is in use")
	errStopped    = errors.New("exchange ended")
)

// session is a connection on which both ends have introduced themselves. One goroutine reads, one writes; whichever sees
// the end first, or anyone who calls end, ends both.
//
//	begin -> run: reading and writing -> end(cause, farewell) -> last frame, if any -> closed -> drop -> done
type session struct {
	x         *Exchange
	peer      *peer
	conn, raw net.Conn // conn is raw, or TLS over it
	hello     Hello    // the peer's
	id        sessionID
	version   uint8
	dialed    bool // by this site
	began     time.Time

	in     *frameReader // read by the reading goroutine only, as are:
	views  unbundle[ViewRecord, *ViewRecord]
	orders unbundle[OverrideRecord, *OverrideRecord]
	limit  struct{ frames, bytes, rounds, attaches *rate.Limiter }
	config configParts
	pace   pace
	asked  time.Time // when all was asked for anew

	mirror     mirror
	attachment atomic.Uint32 // what the peer told of it; see attachHere
	resend     atomic.Bool   // the peer wants to hear all anew
	resentAt   time.Time     // read by the reading goroutine only
	overtaken  atomic.Uint64

	asks    *asking
	helpers sync.WaitGroup // who writes, and who answers questions
	told    persistedWindow

	confirm chan struct{} // capacity 1: the peer waits to hear how far this site has read

	out     []byte        // used by the writing goroutine only
	wake    chan struct{} // capacity 1: there may be something to write
	ending  chan struct{} // closed by the first end
	done    chan struct{} // closed when nothing of the session is left
	sent    atomic.Uint64 // sequence of the last frame written, or being written
	written atomic.Uint64 // bytes

	mu        sync.Mutex
	ended     bool
	cause     error
	farewell  *leaving
	path      path
	heard     uint64 // sequence of the last frame read
	heardAt   time.Time
	silence   time.Duration // that the peer heard nothing, as it told last
	silenceAt time.Time     // when; zero: it told nothing yet
	bytes     uint64        // read
	reported  int           // records that the peer tells
	origins   int           // sites that it tells of
	posts     []posted      // at most maxPosts
	postsLeft uint64
	configs   configQueue
	inherited []string // sites that the session before this one told of
	digest    [32]byte
	digestAt  time.Time // when digest was told
	// digestSince is since when it has been told; zero: in all of the session.
	digestSince time.Time
}

// newSession makes a session of two Hellos. It has read one frame and written, or will have, one.
func newSession(x *Exchange, p *peer, g *greeting) *session {
	now := time.Now()
	s := &session{
		x: x, peer: p, conn: g.conn, in: g.in,
		hello:   g.theirs,
		id:      newSessionID(g.ours, g.theirs),
		version: g.version,
		dialed:  g.dialed != "",
		began:   now,
		wake:    make(chan struct{}, 1),
		ending:  make(chan struct{}),
		done:    make(chan struct{}),
		heard:   1,
		heardAt: now,
		digest:  g.theirs.Digest, digestAt: now,
		asks: newAsking(),

		confirm: make(chan struct{}, 1),
	}
	s.mirror.sets = assembly{origin: g.theirs.Site, incarnation: g.theirs.Incarnation}
	s.views.most, s.orders.most = MaxViews, MaxOverrides
	s.limit.frames = rate.NewLimiter(frameRate, frameBurst)
	s.limit.bytes = rate.NewLimiter(byteRate, byteBurst)
	s.limit.rounds = rate.NewLimiter(roundRate, roundBurst)
	s.limit.attaches = rate.NewLimiter(attachRate, attachBurst)
	s.sent.Store(1)
	return s
}

// start runs a session that was adopted, until it ends by itself or ctx does.
func (x *Exchange) start(ctx context.Context, s *session) {
	x.children.Go(func() { s.run(ctx) })
}

func (s *session) run(ctx context.Context) {
	defer close(s.done)
	stop := context.AfterFunc(ctx, func() { s.end(errStopped, nil) })
	defer stop()
	s.helpers.Go(s.write)
	err := s.read()
	var farewell *leaving
	if kind, refused := rejectionOf(err); refused {
		farewell = &leaving{leaveRefused, err.Error()}
		s.noteRejected(kind, err)
	}
	s.end(err, farewell)
	s.helpers.Wait()
	_ = s.raw.Close()
	s.mu.Lock()
	cause := s.cause
	s.mu.Unlock()
	s.x.drop(s, cause)
}

// end ends the session: at once, or after the farewell was sent. The first cause counts.
func (s *session) end(cause error, farewell *leaving) {
	s.begin(cause, farewell)
	if farewell == nil {
		_ = s.raw.Close()
	}
}

// retire ends a session that a newer one replaced: nothing more is sent, and what comes is ignored, but the connection
// stays until the peer closes it or farewellTimeout has passed. Closed at once, it could end before the peer has taken the
// newer one into use, which would look like a loss.
func (s *session) retire(cause error) { s.begin(cause, nil) }

// begin begins the end.
func (s *session) begin(cause error, farewell *leaving) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.ended, s.cause, s.farewell = true, cause, farewell
	_ = s.conn.SetDeadline(time.Now().Add(farewellTimeout))
	s.asks.cancel()
	close(s.ending)
}

// extend moves a deadline on, unless the session is ending.
func (s *session) extend(set func(time.Time) error, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		_ = set(time.Now().Add(d)) // fails when closed, which the next read or write tells
	}
}

// node names the node at the other end, for people: nodes need no name, and two of them may have the same.
func (s *session) node() string {
	if s.hello.Node == "" {
		return "at " + s.conn.RemoteAddr().String()
	}
	return s.hello.Node + " at " + s.conn.RemoteAddr().String()
}

// isEnding reports whether end was called.
func (s *session) isEnding() bool {
	select {
	case <-s.ending:
		return true
	default:
		return false
	}
}

// lastHeard is when a frame came last. It takes s.mu under Exchange.mu.
func (s *session) lastHeard() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.heardAt
}

// status fills in what is known of the session. It takes s.mu under Exchange.mu.
func (s *session) status(st *PeerStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Node, st.Version, st.Incarnation, st.Digest = s.hello.Node, s.version, s.hello.Incarnation, s.digest
	st.DigestAt = s.digestAt
	st.PeerKeepaliveTimeout = s.hello.KeepaliveTimeout
	st.LastHeard, st.FramesIn, st.BytesIn = s.heardAt, s.heard, s.bytes
	st.FramesOut, st.BytesOut = s.sent.Load(), s.written.Load()
	st.Measured, st.RTT, st.ClockSkew = s.path.known, s.path.rtt, s.path.skew
	st.ServicesReported, st.Origins = s.reported, s.origins
	st.Overtaken, st.PostsLeft = s.overtaken.Load(), s.postsLeft
	if st.Relation == RelationChild && st.State == PeerUp {
		a := s.attachment.Load()
		st.Attached = a == attachHere || a == attachUntold && s.reported > 0
	}
}
