package mesh_test

import (
	"context"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"runtime/pprof"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fairlead/internal/testkit/memnet"
	"fairlead/mep"
)

// shape is how large a mesh is. Each child has a parent and one backup parent.
type shape struct{ parents, children, services int }

func (s shape) String() string {
	return fmt.Sprintf("%d parents, %d children, %d services each", s.parents, s.children, s.services)
}

// parentsOf returns a child's parents, best first. The backups of one parent's children are many sites.
func (s shape) parentsOf(child int) [2]int {
	first := child % s.parents
	return [2]int{first, (first + 1 + child/s.parents%max(1, s.parents-1)) % s.parents}
}

func parentName(i int) string { return fmt.Sprintf("p%04d", i) }
func childName(i int) string  { return fmt.Sprintf("c%05d", i) }

// site is one site of a world.
type site struct {
	peer     mep.Peer
	exchange *mep.Exchange
	host     *memnet.Host // nil: a real network
	services int

	cancel context.CancelFunc
	ended  chan error

	mu      sync.Mutex
	up      map[string]bool // peers with which there is a session; one may replace another without an end
	downs   atomic.Int64    // sessions that were lost
	heard   *hearing        // nil: a child
	receive func(mep.Event)
}

// hearing is what a parent holds of the children.
type hearing struct {
	mu       sync.Mutex
	services []int32 // of each child, as reported last
	all      int     // sum of services
	reports  uint64
	down     uint64 // records that were not UP
	missing  uint64 // reports that lacked services
	fresh    []bool // children heard since mark
	marked   int    // how many of them
}

// mark begins to count anew which children are heard.
func (h *hearing) mark() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fresh, h.marked = make([]bool, len(h.services)), 0
}

func (h *hearing) heardAgain() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.marked
}

func (h *hearing) take(r *mep.ServicesReport, want int) {
	child, err := strconv.Atoi(r.Site[1:])
	if err != nil || r.Site[0] != 'c' {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reports++
	if h.fresh != nil && !h.fresh[child] {
		h.fresh[child] = true
		h.marked++
	}
	for i := range r.Records {
		if r.Records[i].State != mep.StateUp {
			h.down++
		}
	}
	if len(r.Records) != want {
		h.missing++
	}
	if before := int(h.services[child]); before != len(r.Records) {
		h.services[child] = int32(len(r.Records))
		h.all += len(r.Records) - before
	}
}

func (h *hearing) known() (services int, reports, down, missing uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all, h.reports, h.down, h.missing
}

// world is sites that run.
type world struct {
	t     testing.TB
	shape shape
	net   *memnet.Network
	sites []*site // parents first
	dials dials
}

// dials counts attempts to connect, by the time in which they began.
type dials struct {
	mu    sync.Mutex
	since time.Time
	by    map[int64]int // by hundredths of a second since then
}

func (d *dials) note() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.by != nil {
		d.by[int64(time.Since(d.since)/(10*time.Millisecond))]++
	}
}

func (d *dials) begin() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.since, d.by = time.Now(), make(map[int64]int)
}

// most returns how many attempts there were, and the most of them within so many hundredths of a second.
func (d *dials) most(hundredths int64) (all, most int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	sums := make(map[int64]int)
	for at, n := range d.by {
		all += n
		sums[at/hundredths] += n
		most = max(most, sums[at/hundredths])
	}
	return all, most
}

func (w *world) parents() []*site { return w.sites[:w.shape.parents] }
func (w *world) children() []*site {
	return w.sites[w.shape.parents:]
}

// newWorld makes a world over a network in memory. adjust may be nil.
func newWorld(t testing.TB, s shape, adjust func(i int, o *mep.Options)) *world {
	t.Helper()
	w := &world{t: t, shape: s, net: memnet.New()}
	w.net.Latency = 20 * time.Millisecond
	for i := range s.parents + s.children {
		ip := fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)
		host := w.net.Host(ip)
		w.add(i, ip+":3009", func(o *mep.Options) {
			o.Insecure, o.ListenFunc = true, host.Listen
			o.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
				w.dials.note()
				return host.Dial(ctx, network, address)
			}
			if adjust != nil {
				adjust(i, o)
			}
		})
		w.sites[i].host = host
	}
	return w
}

// add makes a site; those below shape.parents are parents.
func (w *world) add(i int, address string, adjust func(*mep.Options)) {
	w.t.Helper()
	s := &site{ended: make(chan error, 1), up: make(map[string]bool)}
	rng := mathrand.New(mathrand.NewPCG(11, uint64(i)))
	o := mep.Options{Node: "n", Listen: address, Rand: mathrand.NewPCG(13, uint64(i)), Digest: func() [32]byte { return [32]byte{1} },
		Services: func() []mep.ServiceRecord { return nil }}
	if i < w.shape.parents {
		o.Site = parentName(i)
		s.heard = &hearing{services: make([]int32, w.shape.children)}
	} else {
		o.Site = childName(i - w.shape.parents)
		o.Services = newSource(rng, o.Site, w.shape.services).services
	}
	o.Receive = s.take
	s.services = w.shape.services
	adjust(&o)
	x, err := mep.New(o)
	if err != nil {
		w.t.Fatal(err)
	}
	s.peer, s.exchange = mep.Peer{Site: o.Site, Address: address}, x
	w.sites = append(w.sites, s)
}

func (s *site) take(e mep.Event) {
	switch e := e.(type) {
	case *mep.SessionUp:
		s.is(e.Peer, true)
	case *mep.SessionDown:
		s.is(e.Peer, false)
		s.downs.Add(1)
	case *mep.ServicesReport:
		if s.heard != nil {
			s.heard.take(e, s.services)
		}
	}
	if s.receive != nil {
		s.receive(e)
	}
}

func (s *site) is(peer string, up bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if up {
		s.up[peer] = true
	} else {
		delete(s.up, peer)
	}
}

// sessions returns how many ends of sessions there are.
func (w *world) sessions() (n int) {
	for _, s := range w.sites {
		s.mu.Lock()
		n += len(s.up)
		s.mu.Unlock()
	}
	return n
}

// connect tells each site who the others are.
func (w *world) connect() {
	w.t.Helper()
	s := w.shape
	peers, relays := make([][]mep.Peer, len(w.sites)), make(map[string][]string, s.children)
	for p := range s.parents {
		for q := range s.parents {
			peers[p] = append(peers[p], w.sites[q].peer)
		}
	}
	for c := range s.children {
		child := s.parents + c
		for rank, p := range s.parentsOf(c) {
			down, up := w.sites[child].peer, w.sites[p].peer
			down.Relation, down.Rank = mep.RelationChild, rank
			up.Relation, up.Rank = mep.RelationParent, rank
			peers[p], peers[child] = append(peers[p], down), append(peers[child], up)
			relays[down.Site] = append(relays[down.Site], up.Site)
		}
	}
	for i, x := range w.sites {
		if err := x.exchange.SetTopology(mep.Topology{Self: x.peer, Peers: peers[i], Relays: relays}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// start runs all sites, each from its own moment within a second. They are labelled for profiles.
func (w *world) start() {
	rng := mathrand.New(mathrand.NewPCG(17, 17))
	for i, s := range w.sites {
		role := "child"
		if i < w.shape.parents {
			role = "parent"
		}
		ctx, cancel := context.WithCancel(context.Background())
		s.cancel = cancel
		wait := time.NewTimer(time.Duration(rng.Int64N(int64(time.Second))))
		go pprof.Do(ctx, pprof.Labels("role", role), func(ctx context.Context) {
			<-wait.C
			s.ended <- s.exchange.Run(ctx)
		})
	}
}

func (w *world) stop() {
	for _, s := range w.sites {
		s.cancel()
	}
	for _, s := range w.sites {
		if err := <-s.ended; err != nil {
			w.t.Errorf("site %s: Run: %v", s.peer.Site, err)
		}
	}
}

// complete reports whether every parent has heard of every child's services, and how many have.
func (w *world) complete() (all bool, have int) {
	want := w.shape.children * w.shape.services
	for _, p := range w.parents() {
		if known, _, _, _ := p.heard.known(); known == want {
			have++
		}
	}
	return have == w.shape.parents, have
}
