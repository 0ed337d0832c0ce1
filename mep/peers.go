package mep

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"
)

// PeerState is how things stand with a peer.
type PeerState string

// Peer states.
const (
	PeerDown       PeerState = "down"       // no session; the peer dials, or this site waits to dial again
	PeerConnecting PeerState = "connecting" // this site dials
	PeerUp         PeerState = "up"         // session
	PeerLeft       PeerState = "left"       // no session, as the peer announced before it stopped
)

// PeerStatus is what is known about a peer. Times are zero, and texts empty, when there was nothing yet.
type PeerStatus struct {
	Site, Address string
	Relation      Relation
	Rank          int  // of a parent
	Dials         bool // this site dials the peer, by the dial rule
	// Attached says, of a parent, that this site reports to it, and of a child, that it reports to this site.
	Attached    bool
	State       PeerState
	Since       time.Time // of State
	LastError   string    // why the last attempt failed or the last session ended
	LastErrorAt time.Time
	Sessions    uint64 // sessions so far

	// Of the current session, else of the last one.

	Node        string
	Version     uint8
	Incarnation uint64
	Digest      [32]byte  // of the peer's document, as it told last: within a quarter of the keepalive timeout
	DigestAt    time.Time // when it told
	LastHeard   time.Time
	// Measured says that there was a round trip: RTT is smoothed, ClockSkew is how far the peer's clock is ahead.
	Measured             bool
	RTT                  time.Duration
	ClockSkew            time.Duration
	FramesIn, FramesOut  uint64
	BytesIn, BytesOut    uint64 // of frames, without TLS
	ServicesReported     int    // records that it tells, of its own services and of those it speaks for
	PeerKeepaliveTimeout time.Duration

	// Origins is how many sites it speaks for, itself included. Overtaken is how many times it told of a site what another
	// had told before, or later. PostsLeft is how many frames were left because too many waited to be written.
	Origins              int
	Overtaken, PostsLeft uint64
}

// peer is one configured site. All fields but deliver are guarded by Exchange.mu.
type peer struct {
	site    string
	addr    address
	wish    Peer // as configured
	dials   bool
	removed bool // kept only until its session has ended, so that its events stay in order

	state    PeerState
	since    time.Time
	lastErr  string
	errAt    time.Time
	sessions uint64
	session  *session   // current; its events are delivered
	last     *session   // current or last, for status
	source   netip.Addr // where the last session came from, or went to

	stopDialing context.CancelFunc // nil: no dial loop
	arrivals    *rate.Limiter      // of its connections that this site accepts

	// deliver is held while Receive is told about this peer. It is taken before Exchange.mu.
	deliver sync.Mutex
}

func (p *peer) become(s PeerState) {
	if p.state != s {
		p.state, p.since = s, time.Now()
	}
}

// fail notes why there is no session.
func (p *peer) fail(err error) {
	p.lastErr, p.errAt = err.Error(), time.Now()
}

// SetPeers is SetTopology for sites that are all in the mesh.
func (x *Exchange) SetPeers(self Peer, peers []Peer) error {
	return x.SetTopology(Topology{Self: self, Peers: peers})
}

// SetTopology says who this site is to others, who they are, and who may speak for whom. It may be called before and during
// Run. Sessions with sites that are gone, or have another address, end; others are not disturbed. If anything is wrong with
// the topology, nothing changes. Options.Digest already tells of the document that the topology is of: others are told of the
// document first, and then what is right by it.
func (x *Exchange) SetTopology(t Topology) error {
	if t.Self.Site != x.opts.Site {
		return fmt.Errorf("set peers of site %q: called for site %q", x.opts.Site, t.Self.Site)
	}
	selfAddr, err := parseAddress(t.Self.Address)
	if err != nil {
		return fmt.Errorf("set peers of site %q: %w", x.opts.Site, err)
	}
	wanted, err := parsePeers(t.Self, t.Peers)
	if err != nil {
		return fmt.Errorf("set peers of site %q: %w", x.opts.Site, err)
	}
	x.relays.Store(x.relays.Load().follow(t.Relays, x.opts.Digest(), time.Now()))
	x.mu.Lock()
	defer x.mu.Unlock()
	x.self, x.selfAddr = t.Self, selfAddr
	for site, p := range x.peers {
		if _, ok := wanted[site]; !ok && !p.removed {
			x.removePeer(p)
		}
	}
	for site, w := range wanted {
		p := x.peers[site]
		if p == nil {
			p = &peer{site: site, state: PeerDown, since: time.Now(), arrivals: rate.NewLimiter(arriveRate, arriveBurst)}
			x.peers[site] = p
		} else if p.addr != w.addr {
			x.stopDialing(p)
			if p.session != nil {
				p.session.end(endf(EndHere, "address of site %q changed from %s to %s", site, p.addr, w.addr), nil)
			}
		}
		p.removed, p.wish, p.addr = false, w.wish, w.addr
		p.dials = opens(t.Self, selfAddr, p.wish, p.addr)
	}
	x.choice.set(x, &t, time.Now())
	x.heard.keep(t.Relays, x.peers)
	x.topology.Add(1)
	signal(x.turned)
	signal(x.changed)
	return nil
}

func parsePeers(self Peer, peers []Peer) (map[string]*peer, error) {
	wanted := make(map[string]*peer, len(peers))
	var errs []error
	for _, p := range peers {
		if p.Site == self.Site {
			continue
		}
		addr, err := parseAddress(p.Address)
		switch {
		case !ValidName(p.Site):
			errs = append(errs, fmt.Errorf("site %q is not a name: 1 to %d letters, digits, '-', '_' or '.'", p.Site, MaxName))
		case wanted[p.Site] != nil:
			errs = append(errs, fmt.Errorf("site %q is named twice", p.Site))
		case err != nil:
			errs = append(errs, fmt.Errorf("site %q: %w", p.Site, err))
		default:
			wanted[p.Site] = &peer{wish: p, addr: addr}
		}
	}
	if len(wanted) > MaxPeers {
		errs = append(errs, fmt.Errorf("%d sites are above the limit of %d", len(wanted), MaxPeers))
	}
	return wanted, errors.Join(errs...)
}

// removePeer forgets a peer, or lets it be forgotten by drop once its session has ended. x.mu is held.
func (x *Exchange) removePeer(p *peer) {
	p.removed = true
	x.stopDialing(p)
	if p.session == nil {
		delete(x.peers, p.site)
		return
	}
	p.session.end(endf(EndHere, "site %q was removed", p.site), &leaving{leaveRemoved, fmt.Sprintf("site %s removed site %s", x.opts.Site, p.site)})
}

// stopDialing ends a dial loop. x.mu is held.
func (x *Exchange) stopDialing(p *peer) {
	if p.stopDialing != nil {
		p.stopDialing()
		p.stopDialing = nil
	}
}

// find returns a configured peer, or nil. x.mu is held.
func (x *Exchange) find(site string) *peer {
	if p := x.peers[site]; p != nil && !p.removed {
		return p
	}
	return nil
}

// adopt makes s its peer's session, unless the one there is newer, and tells Receive.
func (x *Exchange) adopt(s *session) error {
	p := s.peer
	p.deliver.Lock()
	defer p.deliver.Unlock()
	x.mu.Lock()
	if err := x.admissible(s); err != nil {
		x.mu.Unlock()
		return err
	}
	if old := p.session; old != nil {
		if old.hello.Incarnation != s.hello.Incarnation {
			x.log.Warn("mep.replaced", zap.String("why", "a newer instance of the site connected; if the older one still runs it is not heard until that is gone: stop one of them"),
				zap.String("peer", p.site), zap.String("node", s.node()), zap.String("old_node", old.node()))
		}
		old.retire(endf(EndReplaced, "replaced by a newer connection with site %q", p.site)) // first: it takes nothing back
		s.inherited = x.inherit(old, s)
		x.count(old, -1)
	}
	p.session, p.last, p.source = s, s, sourceOf(s.conn)
	p.sessions++
	p.become(PeerUp)
	x.count(s, 1)
	signal(x.turned)
	x.mu.Unlock()
	x.log.Info("mep.session.up", zap.String("peer", p.site), zap.String("node", s.hello.Node),
		zap.Stringer("remote", s.conn.RemoteAddr()), zap.Bool("dialed", s.dialed), zap.Uint8("version", s.version))
	x.opts.Receive(&SessionUp{Peer: p.site, Hello: s.hello, Version: s.version, At: time.Now()})
	return nil
}

// admissible reports whether s may become its peer's session. x.mu is held.
func (x *Exchange) admissible(s *session) error {
	p := s.peer
	if x.leaving {
		return errLeaving
	}
	if x.find(p.site) != p {
		return refusef(RejectUnknownSite, "admit site %q: it was removed", p.site)
	}
	old := p.session
	if old == nil || s.id.newer(old.id) {
		return nil
	}
	if s.hello.Incarnation < old.hello.Incarnation {
		return refusef(RejectDuplicate, "admit site %q from node %s: a newer instance of it, on node %s, is connected; stop one of them",
			p.site, s.node(), old.node())
	}
	return errSuperseded
}

// current reports whether a session is its peer's.
func (x *Exchange) current(s *session) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return s.peer.session == s
}

// count counts sessions of version 1, which are told sets of their own. x.mu is held.
func (x *Exchange) count(s *session, by int64) {
	if s.version < 2 {
		x.old.Add(by)
		x.Announce()
	}
}

// report tells Receive about a session's peer, unless another session has taken its place.
func (x *Exchange) report(s *session, e Event) {
	s.peer.deliver.Lock()
	defer s.peer.deliver.Unlock()
	x.mu.Lock()
	current := s.peer.session == s
	x.mu.Unlock()
	if current {
		x.opts.Receive(e)
	}
}

// drop takes a session that has ended from its peer and tells Receive.
func (x *Exchange) drop(s *session, cause error) {
	p := s.peer
	p.deliver.Lock()
	defer p.deliver.Unlock()
	left, ending := errors.Is(cause, errPeerStops), endingOf(cause)
	x.endings.count(ending)
	x.mu.Lock()
	current := p.session == s
	others := x.heardFromOthers(p)
	if current {
		p.session = nil
		x.count(s, -1)
		signal(x.turned)
		p.fail(cause)
		if p.become(PeerDown); left {
			p.become(PeerLeft)
		}
		if p.removed {
			delete(x.peers, p.site)
		}
	}
	x.mu.Unlock()
	if current {
		reach := ReachLost
		if left {
			reach = ReachLeft
		}
		x.unhearAll(s, reach)
		x.log.Info("mep.session.down", zap.String("peer", p.site), zap.Bool("left", left), zap.String("ending", string(ending)), zap.NamedError("reason", cause))
		x.opts.Receive(&SessionDown{Peer: p.site, Reason: cause.Error(), Ending: ending, Left: left, Differs: s.differs(), At: time.Now(), Heard: s.lastHeard(), Others: others})
	}
}

// heardFromOthers is when something was heard last from any peer but one of those that are to this site what that is. x.mu is held.
func (x *Exchange) heardFromOthers(but *peer) (at time.Time) {
	for _, p := range x.peers {
		if p == but || p.session == nil || p.wish.Relation != but.wish.Relation {
			continue
		}
		if heard := p.session.lastHeard(); heard.After(at) {
			at = heard
		}
	}
	return at
}

// Peers returns the configured peers, by site.
func (x *Exchange) Peers() []PeerStatus {
	x.mu.Lock()
	defer x.mu.Unlock()
	out := make([]PeerStatus, 0, len(x.peers))
	for _, p := range x.peers {
		if p.removed {
			continue
		}
		st := PeerStatus{Site: p.site, Address: p.wish.Address, Relation: p.wish.Relation, Rank: p.wish.Rank, Dials: p.dials, State: p.state, Since: p.since,
			LastError: p.lastErr, LastErrorAt: p.errAt, Sessions: p.sessions}
		st.Attached = p.wish.Relation == RelationParent && x.choice.current == p.site
		if p.last != nil {
			p.last.status(&st)
		}
		out = append(out, st)
	}
	slices.SortFunc(out, func(a, b PeerStatus) int { return strings.Compare(a.Site, b.Site) })
	return out
}
