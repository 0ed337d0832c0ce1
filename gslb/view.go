package gslb

import (
	"cmp"
	"fmt"
	"math/bits"
	"net/netip"
	"slices"

	"github.com/gaissmai/bart"
)

// MaxViews is how many views a Plan can have: each is a bit of a word.
const MaxViews = 64

// StepView says which view the client is in. It comes first, because zones differ between views.
const StepView Step = "view"

// ViewIndex numbers the views of a Plan from 1, in the document's order. 0 is no view.
type ViewIndex uint8

// views is who is in which view, and what they see of services. A view is a bit, the document's first one the lowest.
type views struct {
	names []string
	// everywhere and everyone are the views that do not ask for the listener, or for the client.
	everywhere, everyone uint64
	listeners            bart.Table[uint64]
	clients              bart.Table[uint64] // a prefix has the bits of those that contain it, too
	seen                 [][]seenAs         // by service; nil when no service has views
}

// seenAs is a service's addresses for the clients of a view.
type seenAs struct {
	view         ViewIndex
	addr4, addr6 netip.Addr
}

// ViewOf returns the view of a client: the first whose conditions hold. listener is the address of this server that was
// asked, invalid when it is not known; source is where the query came from. Both are unmapped and without a zone. The client
// subnet that a query carries never chooses a view.
func (p *Plan) ViewOf(listener, source netip.Addr) ViewIndex {
	if p.views == nil {
		return 0
	}
	return p.views.of(listener, source)
}

func (v *views) of(listener, source netip.Addr) ViewIndex {
	in := v.everyone
	if found, ok := v.clients.Lookup(source); ok {
		in |= found
	}
	at := v.everywhere
	if at&in != in { // some of them ask for the listener, too
		found, _ := v.listeners.Lookup(listener)
		at |= found
	}
	if in &= at; in == 0 {
		return 0
	}
	return ViewIndex(1 + bits.TrailingZeros64(in))
}

// NeedsListener reports whether decisions ask which address of this server was asked: some policy does. Where none does, a
// Query's Listener changes nothing.
func (p *Plan) NeedsListener() bool { return p.needsListener }

// Views returns how many views there are: they are numbered from 1 up to that.
func (p *Plan) Views() int {
	if p.views == nil {
		return 0
	}
	return len(p.views.names)
}

// ViewName returns the name of a view; empty for none.
func (p *Plan) ViewName(v ViewIndex) string {
	if v == 0 {
		return ""
	}
	return p.views.names[v-1]
}

// Seen returns the addresses of a service as answers to the clients of a view carry them; invalid when there are none.
func (p *Plan) Seen(v ViewIndex, s ServiceIndex) (addr4, addr6 netip.Addr) {
	svc := &p.services[s]
	if v != 0 && p.views.seen != nil {
		for i := range p.views.seen[s] {
			if as := &p.views.seen[s][i]; as.view == v {
				return as.addr4, as.addr6
			}
		}
	}
	return svc.Addr4, svc.Addr6
}

// compileViews reads who is in which view, and the addresses that answers carry in place of services' own.
func (c *compiler) compileViews() error {
	if len(c.doc.Views) == 0 {
		return nil
	}
	if len(c.doc.Views) > MaxViews {
		return fmt.Errorf("compile views: %d of them; at most %d", len(c.doc.Views), MaxViews)
	}
	v := &views{}
	var prefixes []netip.Prefix
	own := map[netip.Prefix]uint64{}
	for i := range c.doc.Views {
		in, bit := &c.doc.Views[i], uint64(1)<<i
		v.names = append(v.names, in.Name)
		for _, a := range in.Listeners {
			p := netip.PrefixFrom(a, a.BitLen())
			others, _ := v.listeners.Get(p)
			v.listeners.Insert(p, others|bit)
		}
		for _, p := range in.Clients {
			p = p.Masked()
			if own[p] == 0 {
				prefixes = append(prefixes, p)
			}
			own[p] |= bit
		}
		if len(in.Listeners) == 0 {
			v.everywhere |= bit
		}
		if len(in.Clients) == 0 {
			v.everyone |= bit
		}
	}
	slices.SortFunc(prefixes, func(a, b netip.Prefix) int { return cmp.Compare(a.Bits(), b.Bits()) })
	for _, p := range prefixes { // the wider ones are there already
		around, _ := v.clients.LookupPrefix(p)
		v.clients.Insert(p, around|own[p])
	}
	c.plan.views = v
	return c.compileSeen(v)
}

// compileSeen reads which services have other addresses for some views.
func (c *compiler) compileSeen(v *views) error {
	for i := range c.doc.Services {
		s := &c.doc.Services[i]
		for j := range s.Views {
			view := slices.Index(v.names, s.Views[j].View)
			if view < 0 {
				return fmt.Errorf("compile service %q: unknown view %q", s.Name, s.Views[j].View)
			}
			if v.seen == nil {
				v.seen = make([][]seenAs, len(c.doc.Services))
			}
			as := seenAs{view: ViewIndex(view + 1)}
			as.addr4, as.addr6 = s.AnswerAddresses(s.Views[j].View)
			v.seen[i] = append(v.seen[i], as)
		}
	}
	return nil
}
