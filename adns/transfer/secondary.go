package transfer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"fairlead/config"

	"github.com/miekg/dns"
	"go.uber.org/zap"
	"golang.org/x/time/rate"
)

// Limits of transfers from primaries.
const (
	// MaxFetches is how many zones are asked for or brought at once.
	MaxFetches = 8
	// notifyGap is the shortest time between two rounds for one zone, however many NOTIFY come.
	notifyGap = time.Second
)

// SecondaryOptions say what a Secondary is made of. Publish is required.
type SecondaryOptions struct {
	Keys *Keys
	// Publish says that Records of a zone returns something else from now on: a new version, or nothing because the zone
	// expired. An error refuses a new version, and the one before counts again. Several zones call it at once, so that it
	// can wait for more of them. zone is its ZoneID.
	Publish func(zone string) error
	// Dir is where zones are kept for the next start; it is made when needed. Empty: nowhere.
	Dir string
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
	// Dial opens streams to primaries. Nil: the system's.
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)
	Logger *zap.Logger
}

// Secondary holds the zones whose records come from primaries, and keeps them up to date. Adopt says which ones, Run does
// the work. Safe for concurrent use.
type Secondary struct {
	fetcher fetcher
	keep    keeper
	publish func(zone string) error
	now     func() time.Time
	log     *zap.Logger
	said    *rate.Limiter
	slots   chan struct{}
	changed chan struct{} // capacity 1: Adopt was called

	mu    sync.Mutex
	zones map[string]*held   // by ZoneID
	names map[string][]*held // by canonical name; a slice never changes
}

// held is one zone. Its goroutine alone changes image, confirmed and expired.
type held struct {
	id      string // ZoneID
	name    string
	wake    chan struct{} // capacity 1: NOTIFY, or other primaries
	removed chan struct{} // closed when the zone is no longer wanted
	started bool          // of Secondary.mu

	mu        sync.Mutex
	primaries []target
	notifier  netip.Addr // who sent the last NOTIFY; asked first
	image     *image     // nil: never had
	confirmed time.Time  // when a primary last said that image is the newest version
	expired   bool
	behind    bool   // all primaries have an older version
	failure   string // of the last round
	refused   int    // rounds in a row without anything to serve, or with a version that could not be
	kept      *image // what the file in the directory holds; only its goroutine's
}

// SecondaryStatus is what is known of a zone.
type SecondaryStatus struct {
	Zone      string // ZoneID
	Serial    uint32 // 0 when it was never had
	Confirmed time.Time
	Served    bool   // it has data that did not expire
	Failure   string // why the last round failed; empty: it did not
}

// NewSecondary returns a secondary without zones.
func NewSecondary(o SecondaryOptions) *Secondary {
	s := &Secondary{keep: keeper(o.Dir), publish: o.Publish, now: o.Now, log: o.Logger, slots: make(chan struct{}, MaxFetches),
		changed: make(chan struct{}, 1), zones: map[string]*held{}, said: rate.NewLimiter(logsPerSecond, logBurst)}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = zap.NewNop()
	}
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	s.fetcher = fetcher{keys: o.Keys, now: s.now, dial: o.Dial}
	return s
}

// Adopt takes over which zones a valid document wants from which primaries. Zones that were not held before are read
// from the directory, so that Records has them at once.
func (s *Secondary) Adopt(doc *config.Document) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wanted, names := map[string]bool{}, map[string][]*held{}
	for i := range doc.Zones {
		z := &doc.Zones[i]
		if !z.Secondary() {
			continue
		}
		id, primaries := ZoneID(z), targets(z.Primaries)
		wanted[id] = true
		h := s.zones[id]
		if h == nil {
			h = s.restore(id, zoneName(z.Name))
			s.zones[id] = h
		}
		names[h.name] = append(names[h.name], h)
		h.mu.Lock()
		if !slices.Equal(h.primaries, primaries) {
			if h.primaries != nil {
				poke(h.wake)
			}
			h.primaries = primaries
		}
		h.mu.Unlock()
	}
	for id, h := range s.zones {
		if !wanted[id] {
			close(h.removed)
			delete(s.zones, id)
		}
	}
	s.names = names
	poke(s.changed)
}

// poke fills a channel of capacity 1.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// restore makes a zone from its kept file, if there is a good one.
func (s *Secondary) restore(id, name string) *held {
	h := &held{id: id, name: name, wake: make(chan struct{}, 1), removed: make(chan struct{})}
	kept, confirmed, err := s.keep.load(id, name)
	if err != nil {
		s.log.Error("dns.secondary.file_unusable", zap.String("zone", id), zap.Error(err),
			zap.String("then", "the zone is brought from its primary; a damaged file is kept beside as "+corruptSuffix))
	}
	if kept == nil {
		return h
	}
	if now := s.now(); confirmed.After(now) {
		confirmed = now
	}
	h.image, h.kept, h.confirmed = kept, kept, confirmed
	h.expired = s.now().Sub(confirmed) >= timersOf(kept.soa).expire
	return h
}

// Records returns the records of a zone, the SOA first; false when it was never had or has expired. A zone that was not
// adopted yet is looked for in the directory.
func (s *Secondary) Records(z *config.Zone) ([]dns.RR, bool) {
	id := ZoneID(z)
	s.mu.Lock()
	h := s.zones[id]
	s.mu.Unlock()
	if h == nil {
		h = s.restore(id, zoneName(z.Name))
	}
	h.mu.Lock()
	current, expired := h.image, h.expired
	h.mu.Unlock()
	if current == nil || expired {
		return nil, false
	}
	records, err := current.unpack()
	if err != nil {
		s.log.Error("dns.secondary.unusable", zap.String("zone", id), zap.Error(err))
		return nil, false
	}
	return records, true
}

// Status lists the zones by name.
func (s *Secondary) Status() []SecondaryStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []SecondaryStatus
	for _, h := range s.zones {
		h.mu.Lock()
		st := SecondaryStatus{Zone: h.id, Confirmed: h.confirmed, Served: h.image != nil && !h.expired, Failure: h.failure}
		if h.image != nil {
			st.Serial = h.image.soa.Serial
		}
		h.mu.Unlock()
		out = append(out, st)
	}
	slices.SortFunc(out, func(a, b SecondaryStatus) int {
		if a.Zone < b.Zone {
			return -1
		}
		return 1
	})
	return out
}

// Run keeps the zones up to date until ctx ends. It returns nil when all it started has ended.
func (s *Secondary) Run(ctx context.Context) error {
	var zones sync.WaitGroup
	defer zones.Wait()
	for {
		s.mu.Lock()
		for _, h := range s.zones {
			if !h.started {
				h.started = true
				zones.Go(func() { s.follow(ctx, h) })
			}
		}
		s.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil
		case <-s.changed:
		}
	}
}

// follow is the life of one zone.
func (s *Secondary) follow(ctx context.Context, h *held) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var watch sync.WaitGroup
	defer watch.Wait()
	defer cancel()
	watch.Go(func() {
		select {
		case <-h.removed:
			cancel()
		case <-ctx.Done():
		}
	})
	for wait := s.firstWait(h); sleep(ctx, wait, h.wake); {
		wait = s.round(ctx, h)
		if !sleep(ctx, notifyGap, nil) {
			return
		}
		wait = max(0, wait-notifyGap)
	}
}

// sleep waits, or less when wake is filled; false when ctx has ended.
func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
	case <-wake:
	}
	return ctx.Err() == nil
}

// firstWait is how long a kept zone is served before its primary is asked. NOTIFY that came while nobody was here are lost,
// so the refresh time is not waited for: some part of the retry time is, so that not all zones are asked for at once.
func (s *Secondary) firstWait(h *held) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.image == nil || h.expired {
		return 0
	}
	t := timersOf(h.image.soa)
	return max(0, min(early(t.refresh)-s.now().Sub(h.confirmed), rand.N(t.retry)))
}

// round asks the primaries in turn until one has what is here or something newer, and returns how long to wait for the
// next round. That all who answer are behind is an answer, too.
func (s *Secondary) round(ctx context.Context, h *held) time.Duration {
	h.mu.Lock()
	old, primaries := h.image, h.inOrder()
	h.mu.Unlock()
	var problems []error
	var behind []func() time.Duration
	rejected := false
	for _, p := range primaries {
		got, refused, err := s.bring(ctx, h, p, old)
		rejected = rejected || refused
		switch {
		case ctx.Err() != nil:
			return 0
		case err != nil:
			problems = append(problems, fmt.Errorf("%s: %w", p.address, err))
		case old != nil && newer(old.soa.Serial, got.serial):
			behind = append(behind, func() time.Duration { return s.confirmed(h, got, p) })
		default:
			return s.confirmed(h, got, p)
		}
	}
	if len(behind) > 0 && !rejected {
		return behind[0]()
	}
	return s.failed(h, errors.Join(problems...), rejected)
}

// bring asks one primary and installs what it has, if that is newer. refused says that it cannot be served.
func (s *Secondary) bring(ctx context.Context, h *held, from target, old *image) (got fetched, refused bool, err error) {
	if got, err = s.inTurn(ctx, h.name, from, old, s.fetcher.fetch); err != nil || got.zone == nil {
		return got, false, err
	}
	if err = s.install(h, got, from); err == nil || got.form != formIXFR {
		return got, err != nil, err
	}
	// The differences may have been applied to something that the primary never had under this serial.
	whole, wholeErr := s.inTurn(ctx, h.name, from, old, s.fetcher.whole)
	if wholeErr != nil {
		return got, true, err
	}
	err = s.install(h, whole, from)
	return whole, err != nil, err
}

// inTurn asks a primary when it is this zone's turn. What came is installed outside of it, since that waits for others.
func (s *Secondary) inTurn(ctx context.Context, zone string, from target, old *image, fetch func(context.Context, string, target, *image) (fetched, error)) (fetched, error) {
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return fetched{}, ctx.Err()
	}
	defer func() { <-s.slots }()
	return fetch(ctx, zone, from, old)
}

// inOrder is the primaries, the one that sent a NOTIFY first.
func (h *held) inOrder() []target {
	out := slices.Clone(h.primaries)
	if i := slices.IndexFunc(out, func(t target) bool { return t.is(h.notifier) }); i > 0 {
		out[0], out[i] = out[i], out[0]
	}
	return out
}

// is reports whether an address is the target's.
func (t target) is(addr netip.Addr) bool {
	at, err := netip.ParseAddrPort(t.address)
	return err == nil && addr.IsValid() && at.Addr().Unmap() == addr.Unmap()
}
