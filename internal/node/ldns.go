package node

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"fairlead/adns"
	"fairlead/api"
	"fairlead/config"
	"fairlead/gslb"
	"fairlead/mep"
	"fairlead/monitors/ldns"
)

const (
	// wantedInterval and wantedAtOnce are how fast resolvers are taken from the queue that queries fill; restInterval is how
	// often an empty one is looked at, so that a node at rest does not wake for it.
	wantedInterval = 50 * time.Millisecond
	restInterval   = 500 * time.Millisecond
	wantedAtOnce   = 64
	// ownInterval is the time between two looks at this machine's addresses.
	ownInterval = time.Minute
	// freshShare is the part of a measurement's time in which one that is within the tolerance of it is not taken, nor is
	// another one made because another site wants it.
	freshShare = 4
	// maxOutside is how many resolvers wait for probes of others; the oldest give way.
	maxOutside = 4096
	// A peer's records are taken in at heardRate a second, after the first heardBurst.
	heardRate  = 20_000
	heardBurst = 4 * maxBacklog
)

// resolverWatch has resolvers measured that ask for names whose method is rtt, tells other sites what it found and which
// resolvers it wants, and takes in what they tell.
type resolverWatch struct {
	site   string
	hash   uint64 // of site
	table  func() *gslb.Resolvers
	prober *ldns.Prober
	log    *zap.Logger
	// tell hands records to sessions of the exchange; nil: this node keeps to itself.
	tell func(sections []mep.NetworkSection, to func(site string) bool) (taken, left int)
	// vouchers are what the server saw of clients.
	vouchers *adns.Vouchers
	// peers is how things stand with other sites.
	peers func() []mep.PeerStatus
	// own lists this machine's addresses.
	own func() []netip.Addr

	backlog  *backlog // of the loop's goroutine; nil: none is needed
	attached string   // of the same: the parent that this site reported to when it looked last; "": none

	mu        sync.Mutex // taken before the prober's
	settings  watchSettings
	addrs     []netip.Addr
	told      telling
	outside   []netip.Addr             // first is the oldest
	newcomers map[string]*newcomer     // by site
	limits    map[string]*rate.Limiter // of what a peer tells
	counts    api.ResolverExchange
}

// watchSettings is what a document says of resolvers and sites.
type watchSettings struct {
	ldns      config.LDNSSettings
	interval  time.Duration // between Network frames
	sites     map[string]bool
	relatives relatives
}

func newResolverWatch(n *Node) *resolverWatch {
	w := &resolverWatch{site: n.opts.Config.Site, hash: xxhash.Sum64String(n.opts.Config.Site), log: n.log, own: ownAddresses, vouchers: adns.NewVouchers(), peers: n.peers,
		limits: make(map[string]*rate.Limiter), newcomers: make(map[string]*newcomer), told: newTelling(),
		table: func() *gslb.Resolvers { return n.State().Snapshot.Learned.Resolvers }}
	if n.exchange != nil {
		w.tell = n.exchange.TellNetwork
	}
	w.prober = ldns.New(ldns.Options{Measured: w.measured, Port: n.opts.LDNSPort, Logger: n.log})
	return w
}

// adopt follows a document.
func (w *resolverWatch) adopt(doc *config.Document) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := watchSettings{ldns: doc.Settings.LDNS, interval: doc.Settings.MEP.NetworkInterval.Std(), relatives: relativesOf(doc, w.site),
		sites: make(map[string]bool, len(doc.Sites))}
	for i := range doc.Sites {
		s.sites[doc.Sites[i].Name] = true
	}
	w.settings = s
	w.limit()
}

// limit tells the prober what counts now. w.mu is held.
func (w *resolverWatch) limit() {
	s := &w.settings.ldns
	order, err := ldns.ParseKinds(s.ProbeOrder)
	if err != nil {
		order = nil // a document with another word was refused
	}
	w.prober.Set(ldns.Settings{Order: order, Rate: s.ProbeRate, PrefixRate: s.ProbePrefixRate, Allow: s.ProbeAllow, Deny: s.ProbeDeny, Own: w.addrs})
}

// run measures and tells until ctx ends.
func (w *resolverWatch) run(ctx context.Context) error {
	w.look()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return w.prober.Run(ctx) })
	group.Go(func() error { return w.loop(ctx) })
	return group.Wait()
}

func (w *resolverWatch) loop(ctx context.Context) error {
	take, look := time.NewTimer(wantedInterval), time.NewTicker(ownInterval)
	defer take.Stop()
	defer look.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
			w.look()
		case now := <-take.C:
			next := restInterval
			if w.takeWanted(now) {
				next = wantedInterval
			}
			w.mu.Lock()
			interval := w.settings.interval
			w.mu.Unlock()
			take.Reset(min(next, interval))
			if now.Sub(last) >= interval {
				w.tellAll(now, now.Sub(last))
				last = now
			}
		}
	}
}

// look notes this machine's addresses.
func (w *resolverWatch) look() {
	found := w.own()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.addrs = found
	w.limit()
}

// ownAddresses lists the addresses of all interfaces.
func ownAddresses() []netip.Addr {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var out []netip.Addr
	for _, a := range list {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			out = append(out, p.Addr().Unmap().WithZone(""))
		}
	}
	return out
}

// takeWanted takes resolvers from the queue that queries fill. It reports whether there were any.
func (w *resolverWatch) takeWanted(now time.Time) bool {
	table := w.table()
	for taken := range wantedAtOnce {
		a, ok := table.NextWanted()
		if !ok {
			return taken > 0
		}
		switch w.vouchers.Of(a, now.Unix()) {
		case adns.VoucherLimited:
			w.mu.Lock()
			w.counts.Limited++
			w.mu.Unlock()
		case adns.VoucherProven:
			w.want(a, true, now)
		default:
			w.want(a, false, now)
		}
	}
	return true
}

// want has a resolver measured that asks here: by this site, by probes of others, and by other sites.
func (w *resolverWatch) want(a netip.Addr, proven bool, now time.Time) {
	refusal := w.prober.Want(a, proven)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch refusal {
	case ldns.Reserved, ldns.Denied, ldns.Own, ldns.OfNetwork, ldns.Full:
		if !proven {
			return // who forges sources causes no more elsewhere than here
		}
	}
	w.offer(a)
	w.wish(a, proven, now)
}

// wishTime is how long a wish is not told again. It is less than half of the time-out, after which a resolver that still asks is
// wanted anew: then other sites must hear of it, too. w.mu is held.
func (w *resolverWatch) wishTime() time.Duration { return w.settings.ldns.EntryTimeout.Std() / 3 }

// offer queues a resolver for probes of others. w.mu is held.
func (w *resolverWatch) offer(a netip.Addr) {
	if len(w.outside) >= maxOutside {
		w.outside = w.outside[1:]
	}
	w.outside = append(w.outside, a)
}

// Take gives out resolvers for probes of others, each once.
func (w *resolverWatch) Take(most int) []netip.Addr {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := min(most, len(w.outside))
	out := append([]netip.Addr{}, w.outside[:n]...)
	if w.outside = w.outside[n:]; len(w.outside) == 0 {
		w.outside = nil
	}
	return out
}

// measured takes in what the prober found.
func (w *resolverWatch) measured(m ldns.Measurement) {
	by := [...]gslb.RTTSource{ldns.Ping: gslb.RTTPing, ldns.DNS: gslb.RTTDNS, ldns.TCP: gslb.RTTTCP}[m.Kind]
	w.found(m.LDNS, m.RTT, m.At, by)
}

// passive takes in the round-trip time of a connection of a resolver's own, if it asks for names whose method is rtt. Such a
// resolver is proven: others measure it before those that need not be there.
func (w *resolverWatch) passive(from netip.Addr, rtt time.Duration) {
	now := time.Now()
	if !w.table().Asked(from, now.Unix()) || !w.found(from, rtt, now, gslb.RTTPassive) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts.Passive++
	w.wish(from, true, now)
}

// Report takes in what somebody else measured from a site, and reports whether it counts.
func (w *resolverWatch) Report(a netip.Addr, site string, rtt time.Duration, at time.Time) bool {
	if site == w.site {
		if !w.table().MeasuredBy(a, w.hash, rtt, at.Unix(), gslb.RTTPushed) {
			return false
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.told.measured(w.site, networkHops, mep.NetworkRecord{LDNS: a, RTT: rtt, Source: uint8(gslb.RTTPushed)}, at)
		return true
	}
	return w.table().MeasuredBy(a, xxhash.Sum64String(site), rtt, at.Unix(), gslb.RTTPushed)
}

// found takes in a round-trip time from this site, and reports whether it was told: one that says nothing new is not.
func (w *resolverWatch) found(a netip.Addr, rtt time.Duration, at time.Time, by gslb.RTTSource) bool {
	table := w.table()
	w.mu.Lock()
	defer w.mu.Unlock()
	if m, ok := w.ownTime(table, a, at); ok && (m.RTT-rtt).Abs() <= w.settings.ldns.Tolerance.Std() && w.isFresh(m.At, at) {
		w.counts.Unchanged++
		return false
	}
	if !table.MeasuredBy(a, w.hash, rtt, at.Unix(), by) {
		return false
	}
	w.told.measured(w.site, networkHops, mep.NetworkRecord{LDNS: a, RTT: rtt, Source: uint8(by)}, at)
	return true
}

// ownTime is what this site measured of a resolver, if that counts.
func (w *resolverWatch) ownTime(table *gslb.Resolvers, a netip.Addr, now time.Time) (gslb.SiteRTT, bool) {
	var room [gslb.MaxResolverSites]gslb.SiteRTT
	for _, m := range table.RTTs(a, now.Unix(), room[:0]) {
		if m.Site == w.hash {
			return m, true
		}
	}
	return gslb.SiteRTT{}, false
}

// isFresh reports whether a measurement was made a short time ago. w.mu is held.
func (w *resolverWatch) isFresh(measured int64, now time.Time) bool {
	return now.Unix()-measured < int64(w.settings.ldns.EntryTimeout.Std()/time.Second)/freshShare
}

// Counts returns what was exchanged, and what the prober did.
func (w *resolverWatch) Counts() api.ResolverExchange {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.counts
	out.Probes = w.prober.Stats()
	return out
}
