package ldns

import (
	"context"
	crand "crypto/rand"
	"errors"
	"hash/maphash"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

const (
	// MaxPackets is the most packets of one round to a resolver. Those with which the system ends a TCP connection that a
	// resolver accepted are not counted.
	MaxPackets = 3
	// maxWaiting is how many resolvers wait for their round: of those that are preferred, and of the others.
	maxWaiting = 1024
	// maxFlying is how many rounds are under way.
	maxFlying = 4096
	// otherTurn has every so manyth round begin with a resolver that is not preferred while both wait.
	otherTurn = 4
	// silence is how long an answer may take. It is below the second after which TCP would send its SYN again.
	silence = 900 * time.Millisecond
	// idle is the longest that the loop sleeps.
	idle = time.Minute
)

// Settings say whom a Prober measures, and how fast.
type Settings struct {
	Order       []Kind         // none: nothing is measured
	Rate        int            // packets a second; below 1: none
	PrefixRate  int            // resolvers a second of one /24 or /56; below 1: 1
	Allow, Deny []netip.Prefix // Deny counts before Allow, Allow before what is reserved or Own
	Own         []netip.Addr   // addresses of this machine
}

// Measurement is the outcome of a round that was answered.
type Measurement struct {
	LDNS netip.Addr
	RTT  time.Duration // the shortest of the round
	Kind Kind
	At   time.Time
}

// Options say what a Prober is made of. Measured is required.
type Options struct {
	Settings Settings
	// Measured is told of every round that was answered, from Run's goroutine. It must be quick.
	Measured func(Measurement)
	Port     uint16      // that resolvers are asked at by DNS and TCP; 0: 53
	Logger   *zap.Logger // nil: none
}

// Prober measures resolvers that are wanted. Safe for concurrent use.
type Prober struct {
	measured func(Measurement)
	carrier  carrier
	running  atomic.Bool
	wake     chan struct{} // capacity 1

	mu       sync.Mutex
	settings Settings
	random   *rand.Rand
	budget   bucket
	networks networks
	known    memories
	rounds   map[netip.Addr]*round // waiting, ready or in flight
	// preferred are proven, or answered before; others are not. ready goes on with a round that has begun.
	preferred, others, ready queue[*round]
	flights                  queue[flight] // in the order of their ends
	flying                   int
	turns                    int
	found                    []Measurement // that Measured is yet to be told
	stats                    Stats
}

// round is the packets to one resolver.
type round struct {
	ldns    netip.Addr
	order   [kinds]Kind
	left    int // kinds in order from at on
	at      int
	packets int
	answers int
	best    time.Duration
	token   uint64 // of the packet in flight; 0: none is
	sent    time.Time
}

// flight is a packet that an answer is waited for.
type flight struct {
	round *round
	token uint64
	end   time.Time
}

// carrier sends packets, and tells the Prober of answers by answered and failed, from goroutines of its own.
type carrier interface {
	// can reports whether a kind can be sent to a family. It may open sockets.
	can(k Kind, is6 bool) bool
	// send sends one packet. A second call may come while the first one runs only after an error or answer.
	send(k Kind, to netip.Addr, token uint64) error
	// close ends all goroutines. Nothing is sent afterwards.
	close()
}

// New returns a Prober that sends nothing until Run.
func New(o Options) *Prober {
	if o.Port == 0 {
		o.Port = 53
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	p := newProber(o)
	p.carrier = newSockets(p, o.Port, o.Logger)
	return p
}

func newProber(o Options) *Prober {
	var seed [32]byte
	_, _ = crand.Read(seed[:]) // never fails
	return &Prober{
		measured: o.Measured, settings: o.Settings, wake: make(chan struct{}, 1), random: rand.New(rand.NewChaCha8(seed)),
		networks: networks{seed: maphash.MakeSeed()}, rounds: make(map[netip.Addr]*round),
	}
}

// Set makes other settings count, for rounds that begin from now on.
func (p *Prober) Set(s Settings) {
	p.mu.Lock()
	p.settings = s
	p.mu.Unlock()
	p.signal()
}

// Want asks for a round to a resolver, and says why there will be none. One that waits or is measured already is not
// refused. proven says that the resolver receives what is sent to its address: it comes before those that need not.
func (p *Prober) Want(ldns netip.Addr, proven bool) Refusal {
	ldns = ldns.Unmap().WithZone("")
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.admit(ldns, proven, time.Now())
	if r != NotRefused {
		p.stats.Refused[r]++
	}
	return r
}

func (p *Prober) admit(ldns netip.Addr, proven bool, now time.Time) Refusal {
	if _, ok := p.rounds[ldns]; ok {
		return NotRefused
	}
	if p.settings.Rate < 1 || len(p.settings.Order) == 0 || !ldns.IsValid() {
		return Unavailable
	}
	if r := p.settings.refusedAddress(ldns); r != NotRefused {
		return r
	}
	m, known := p.known.get(ldns)
	if known && !m.answered && now.Before(m.until) {
		return Silent
	}
	wait := &p.others
	if proven || known && m.answered {
		wait = &p.preferred
	}
	switch {
	case wait.len() >= maxWaiting:
		return Full
	case !p.networks.take(ldns, p.settings.PrefixRate, now):
		return OfNetwork
	}
	r := &round{ldns: ldns}
	p.rounds[ldns] = r
	wait.push(r)
	p.signal()
	return NotRefused
}

func (p *Prober) signal() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Run measures until ctx ends, and returns nil when all it started has ended. A Prober runs once.
func (p *Prober) Run(ctx context.Context) error {
	if !p.running.CompareAndSwap(false, true) {
		return errors.New("run prober: it ran before")
	}
	defer p.carrier.close()
	timer := time.NewTimer(idle)
	defer timer.Stop()
	for ctx.Err() == nil {
		r, kind, found, wait := p.next(time.Now())
		for _, m := range found {
			p.measured(m)
		}
		if r != nil {
			if err := p.carrier.send(kind, r.ldns, r.token); err != nil {
				p.failed(kind, r.ldns, r.token)
			}
			continue
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
		case <-p.wake:
		case <-timer.C:
		}
	}
	return nil
}

// next ends what was waited for in vain, and returns the round whose packet is to be sent now, else how long nothing is to
// be done unless somebody signals; and what was found since the last call.
func (p *Prober) next(now time.Time) (r *round, k Kind, found []Measurement, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	wait = p.land(now)
	found, p.found = p.found, nil
	for {
		if p.ready.len()+p.preferred.len()+p.others.len() == 0 {
			return nil, 0, found, wait
		}
		if rest := p.budget.lacks(p.settings.Rate, now); rest > 0 {
			return nil, 0, found, min(wait, rest)
		}
		if r = p.choose(); r == nil {
			return nil, 0, found, wait
		}
		if r.packets > 0 || p.start(r) {
			break
		}
	}
	p.budget.tokens--
	p.flying++
	r.packets++
	r.token = p.random.Uint64() | 1
	r.sent = now
	k = r.order[r.at]
	p.stats.Sent[k]++
	p.flights.push(flight{r, r.token, now.Add(silence)})
	return r, k, found, 0
}

// choose takes the round to go on with: one that has begun, then one that is preferred, most of the time.
func (p *Prober) choose() *round {
	if r, ok := p.ready.pop(); ok {
		return r
	}
	if p.flying >= maxFlying {
		return nil
	}
	p.turns++
	first, second := &p.preferred, &p.others
	if p.turns%otherTurn == 0 {
		first, second = second, first
	}
	r, ok := first.pop()
	if !ok {
		r, _ = second.pop()
	}
	return r
}

// start fills in the kinds of a round. It reports false, and the round is over, when none can be sent.
func (p *Prober) start(r *round) bool {
	add := func(k Kind) {
		for _, have := range r.order[:r.left] {
			if have == k {
				return
			}
		}
		if p.carrier.can(k, r.ldns.Is6()) {
			r.order[r.left] = k
			r.left++
		}
	}
	if m, ok := p.known.get(r.ldns); ok && m.answered {
		for _, k := range p.settings.Order {
			if k == m.kind {
				add(k)
			}
		}
	}
	for _, k := range p.settings.Order {
		add(k)
	}
	if r.left == 0 {
		p.stats.Refused[Unavailable]++
		delete(p.rounds, r.ldns)
	}
	return r.left > 0
}

// land ends the packets that were not answered in time, and returns how long it is to the next end.
func (p *Prober) land(now time.Time) time.Duration {
	for p.flights.len() > 0 {
		f := p.flights.first()
		if f.round.token == f.token {
			if left := f.end.Sub(now); left > 0 {
				return left
			}
			p.unanswered(f.round, now)
		}
		p.flights.pop()
	}
	return idle
}

// unanswered goes on after a packet that nothing came back for.
func (p *Prober) unanswered(r *round, now time.Time) {
	r.token = 0
	p.flying--
	if r.answers > 0 {
		p.finish(r, now)
		return
	}
	if r.at++; r.at < r.left && r.packets < MaxPackets {
		p.ready.push(r)
		return
	}
	delete(p.rounds, r.ldns)
	p.known.silent(r.ldns, now)
	p.stats.Silent++
}

// finish notes what a round found.
func (p *Prober) finish(r *round, now time.Time) {
	delete(p.rounds, r.ldns)
	k := r.order[r.at]
	p.known.answered(r.ldns, k)
	p.stats.Measured[k]++
	p.found = append(p.found, Measurement{LDNS: r.ldns, RTT: r.best, Kind: k, At: now})
}

// answered takes in an answer that came at a time. took is how long it took if the carrier knows better than that. mask says
// which bits of the token the answer carries.
func (p *Prober) answered(k Kind, from netip.Addr, token, mask uint64, at time.Time, took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.rounds[from]
	if r == nil || r.token == 0 || r.order[r.at] != k || (r.token^token)&mask != 0 {
		p.stats.Strays++
		return
	}
	if took <= 0 {
		took = max(at.Sub(r.sent), 0)
	}
	r.token = 0
	p.flying--
	r.answers++
	if r.answers == 1 || took < r.best {
		r.best = took
	}
	if k == TCP || r.packets >= MaxPackets {
		p.finish(r, at)
	} else {
		p.ready.push(r)
	}
	p.signal()
}

// failed goes on after a packet that could not be sent.
func (p *Prober) failed(k Kind, to netip.Addr, token uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.rounds[to]
	if r == nil || r.token != token {
		return
	}
	p.stats.Unsent[k]++
	p.unanswered(r, time.Now())
	p.signal()
}
