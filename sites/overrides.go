package sites

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"
	"unicode"

	"go.uber.org/zap"

	"fairlead/config"
	"fairlead/mep"
)

// Limits of overrides.
const (
	// MaxOverrides is how many there can be at a time, those of all sites and withdrawn ones included.
	MaxOverrides = 10_000
	// DefaultOverride is how long one lasts that does not say, MaxOverride how long one can last. What shall stay longer
	// belongs into the document.
	DefaultOverride = 4 * time.Hour
	MaxOverride     = 30 * 24 * time.Hour
	// MaxOverrideText bounds owner and reason, in bytes.
	MaxOverrideText = mep.MaxReason

	// maxRevision bounds revisions, so that the next one cannot run over. maxLead is how far ahead of this node's a peer's may be:
	// one that a fault made huge would else be the last that all sites agree about.
	maxRevision = 1 << 62
	maxLead     = 1 << 32
)

// OverrideKind is what an override is about.
type OverrideKind uint8

// Kinds. The numbers are those of MEP.
const (
	OfService       OverrideKind = 1
	OfSite          OverrideKind = 2 // all services of a site that have none of their own
	OfVirtualServer OverrideKind = 3 // that is held on its backup
	OfServiceGroup  OverrideKind = 4 // all services of a group, those that join it later included, that have none of their own
	// OfVirtualServerUse is whether a virtual server is used. It is another kind than OfVirtualServer as there is one override for each
	// name of a kind: what is held on its backup stays held while it is out of use.
	OfVirtualServerUse OverrideKind = 5
)

// String returns the kind as people read it.
func (k OverrideKind) String() string {
	switch k {
	case OfService:
		return "service"
	case OfSite:
		return "site"
	case OfVirtualServer, OfVirtualServerUse:
		return "virtual-server"
	case OfServiceGroup:
		return "service-group"
	}
	return "unknown"
}

// OverrideAction is what is wanted.
type OverrideAction uint8

// Actions. The numbers are those of MEP.
const (
	Enable  OverrideAction = 1
	Disable OverrideAction = 2
	Drain   OverrideAction = 3
	Clear   OverrideAction = 4 // no override any more: what it cleared must not come back from a site that has not heard
	Hold    OverrideAction = 5 // the virtual server stays on its backup
	Release OverrideAction = 6 // no longer
)

// String returns the action as people read it.
func (a OverrideAction) String() string {
	words := [...]string{Enable: "enable", Disable: "disable", Drain: "drain", Clear: "clear", Hold: "hold", Release: "release"}
	if int(a) >= len(words) || a == 0 {
		return "unknown"
	}
	return words[a]
}

// Override is what an operator wants for a time, whatever the document says; or, of a virtual server, that it stays on its
// backup until an operator returns it.
type Override struct {
	Kind          OverrideKind
	Name          string
	Action        OverrideAction
	Owner, Reason string
	// Set is when it was given, Until when it ends, both on this node's clock. Until is zero for Hold, which does not end, and
	// when it may be forgotten for Clear. A Release is forgotten for want of room only: the Hold that it ended would else come back
	// from a site that was cut off for longer.
	Set, Until time.Time
	// Revision and Site say which of two is the later one: revisions grow over all sites, and of two equal ones that of
	// the site with the greater name counts. Should a site that lost its data give a revision twice, the greater action does.
	Revision uint64
	Site     string // that gave it
}

func (o *Override) wants() config.ServiceState {
	switch o.Action {
	case Disable:
		return config.ServiceDisabled
	case Drain:
		return config.ServiceDraining
	}
	return config.ServiceEnabled
}

// explain says it for people. It does not change while the override stands.
func (o *Override) explain(time.Time) string {
	return fmt.Sprintf("%s by %s until %s: %s", o.Action, o.Owner, o.Until.UTC().Format(time.RFC3339), o.Reason)
}

// standing reports whether it has an effect at now.
func (o *Override) standing(now time.Time) bool {
	return !o.ended() && (o.Until.IsZero() || now.Before(o.Until))
}

// ended reports whether it is only there so that what it ended does not come back.
func (o *Override) ended() bool { return o.Action == Clear || o.Action == Release }

// kept reports whether it stays at now as it is, with an effect or not.
func (o *Override) kept(now time.Time) bool {
	return o.Until.IsZero() || o.Action == Release || now.Before(o.Until)
}

func (o *Override) after(than *Override) bool {
	return cmp.Or(cmp.Compare(o.Revision, than.Revision), cmp.Compare(o.Site, than.Site), cmp.Compare(o.Action, than.Action)) > 0
}

type overrideKey struct {
	kind OverrideKind
	name string
}

// OverridesOptions are what Overrides needs.
type OverridesOptions struct {
	Site string // this one
	// Changed is told after every change, from the goroutine that made it. nil: nobody.
	Changed func()
	// Heard is told of each one that was given here, or heard from another site, with no lock held. nil: nobody.
	Heard  func(Override)
	Logger *zap.Logger
}

// Overrides is all overrides that this node knows of, of all sites. There is at most one for each name of a kind: the one
// that was given last. Safe for concurrent use.
type Overrides struct {
	opts OverridesOptions
	log  *zap.Logger

	mu       sync.Mutex
	entries  map[overrideKey]Override // at most MaxOverrides
	revision uint64                   // greatest one seen
	full     bool                     // logged that there is no room
	ahead    bool                     // logged that a revision is too far ahead
}

// NewOverrides returns an Overrides that knows of none.
func NewOverrides(o OverridesOptions) *Overrides {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Changed == nil {
		o.Changed = func() {}
	}
	if o.Heard == nil {
		o.Heard = func(Override) {}
	}
	return &Overrides{opts: o, log: o.Logger.Named("sites"), entries: map[overrideKey]Override{}}
}

// Invalid says what of an order is not acceptable. Field is reason, owner or for; name when there is nothing to end; limit
// when there are too many.
type Invalid struct{ Field, Why string }

// Error returns the reason.
func (e *Invalid) Error() string { return e.Why }

// Order is what an operator asks for. Name is not looked up: that is the caller's part.
type Order struct {
	Kind          OverrideKind
	Name          string
	Action        OverrideAction
	Owner, Reason string
	For           time.Duration // for Enable, Disable and Drain
}

// Give takes in an operator's order as of now. Errors are *Invalid.
func (s *Overrides) Give(o Order, now time.Time) (Override, error) {
	if err := o.check(); err != nil {
		return Override{}, err
	}
	s.mu.Lock()
	key := overrideKey{o.Kind, o.Name}
	old, had := s.entries[key]
	out := Override{Kind: o.Kind, Name: o.Name, Action: o.Action, Owner: o.Owner, Reason: o.Reason, Set: now,
		Until: now.Add(o.For), Revision: s.revision + 1, Site: s.opts.Site}
	switch o.Action {
	case Clear, Release:
		if !had || !old.standing(now) {
			s.mu.Unlock()
			return Override{}, &Invalid{"name", fmt.Sprintf("there is nothing to %s for %s %q", o.Action, o.Kind, o.Name)}
		}
		out.Until = now.Add(MaxOverride) // by then all that was given before has ended, also at sites that are cut off
	case Hold:
		out.Until = time.Time{}
	}
	if !had && !s.room() {
		s.mu.Unlock()
		return Override{}, &Invalid{"limit", fmt.Sprintf("there are %d overrides already, which is the limit; clear some", MaxOverrides)}
	}
	s.entries[key] = out
	s.revision++
	s.mu.Unlock()
	s.log.Info("override.given", out.fields()...)
	s.opts.Heard(out)
	s.opts.Changed()
	return out, nil
}

func (o *Order) check() error {
	for _, text := range []struct{ field, value string }{{"reason", o.Reason}, {"owner", o.Owner}} {
		switch {
		case text.value == "":
			return &Invalid{text.field, text.field + " is missing: say it for those who will wonder"}
		case len(text.value) > MaxOverrideText:
			return &Invalid{text.field, fmt.Sprintf("%s has %d bytes; the limit is %d", text.field, len(text.value), MaxOverrideText)}
		}
		for _, r := range text.value {
			if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
				return &Invalid{text.field, text.field + " has characters that cannot be printed"}
			}
		}
	}
	timed := o.Action == Enable || o.Action == Disable || o.Action == Drain
	if timed && (o.For < time.Second || o.For > MaxOverride) {
		return &Invalid{"for", fmt.Sprintf("for is %s; an override lasts from 1s to %s, and what shall stay belongs into the document", o.For, MaxOverride)}
	}
	return nil
}

// fields describe an override in the log.
func (o *Override) fields() []zap.Field {
	return []zap.Field{zap.Stringer("kind", o.Kind), zap.String("name", o.Name), zap.Stringer("action", o.Action),
		zap.String("owner", o.Owner), zap.String("reason", o.Reason), zap.String("site", o.Site), zap.Time("until", o.Until)}
}

// For returns the override that counts for a service at now: its own, else its group's, else its site's. group is empty for a service of none.
func (s *Overrides) For(service, group, site string, now time.Time) (Override, bool) {
	if s == nil {
		return Override{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range [...]overrideKey{{OfService, service}, {OfServiceGroup, group}, {OfSite, site}} {
		if o, ok := s.entries[key]; ok && o.standing(now) {
			return o, true
		}
	}
	return Override{}, false
}

// standing returns all that have an effect at now; nil: none.
func (s *Overrides) standing(now time.Time) map[overrideKey]Override {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out map[overrideKey]Override
	for key, o := range s.entries {
		if o.standing(now) {
			if out == nil {
				out = make(map[overrideKey]Override)
			}
			out[key] = o
		}
	}
	return out
}

// Held reports whether a virtual server stays on its backup.
func (s *Overrides) Held(virtualServer string) bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.entries[overrideKey{OfVirtualServer, virtualServer}].Action == Hold
}

// stands reports whether an override is still the one that counts.
func (s *Overrides) stands(o *Override) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.entries[overrideKey{o.Kind, o.Name}]
	return now.Revision == o.Revision && now.Site == o.Site && now.Action == o.Action
}

// List returns what has an effect at now, by kind and name.
func (s *Overrides) List(now time.Time) []Override {
	if s == nil {
		return nil
	}
	return s.list(func(o *Override) bool { return o.standing(now) })
}

func (s *Overrides) list(wanted func(*Override) bool) []Override {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Override
	for _, o := range s.entries {
		if wanted(&o) {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b Override) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) })
	return out
}

// room reports whether there is room for one more, after it has made some: of what ended, a tenth is forgotten: that which
// would be anyway first, and releases last. s.mu is held.
func (s *Overrides) room() bool {
	if len(s.entries) < MaxOverrides {
		return true
	}
	var ended []Override
	for _, o := range s.entries {
		if o.ended() {
			ended = append(ended, o)
		}
	}
	slices.SortFunc(ended, func(a, b Override) int { return cmp.Or(cmp.Compare(a.Action, b.Action), a.Until.Compare(b.Until)) })
	for _, o := range ended[:(len(ended)+9)/10] {
		delete(s.entries, overrideKey{o.Kind, o.Name})
	}
	return len(ended) > 0
}

// Expire ends what is over at now, and reports whether there was such. What ended stays as a Clear: an order from before it, or
// the same one told late, must not come back from a site that was cut off.
func (s *Overrides) Expire(now time.Time) bool {
	var ended []Override
	s.mu.Lock()
	for key, o := range s.entries {
		if o.kept(now) {
			continue
		}
		ended = append(ended, o)
		if o.ended() {
			delete(s.entries, key)
			continue
		}
		o.Action, o.Until = Clear, now.Add(MaxOverride)
		s.entries[key] = o
	}
	s.mu.Unlock()
	for i := range ended {
		if o := &ended[i]; !o.ended() {
			s.log.Info("override.expired", o.fields()...)
		}
	}
	if len(ended) > 0 {
		s.opts.Changed()
	}
	return len(ended) > 0
}
