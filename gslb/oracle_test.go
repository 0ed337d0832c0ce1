package gslb

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"sort"
	"strings"
	"time"

	"fairlead/config"
)

// oracle decides slowly and obviously: it works on the document and the belief by name, keeps no standings, and uses
// floating point and plain scans where Decide uses tables. It shares with Decide the document, and the hash functions, which
// TestRendezvousGolden holds. It says who may be first in an answer: where equals take turns, that is all of them, and other
// tests hold the turns.
type oracle struct {
	w        *randomPlan
	seeds    map[string]uint64
	services map[string]int           // where they are in the document
	sessions map[string]oracleSession // by persistence and masked client
	stays    map[string]int64         // ends of spillover's sessions
	paired   map[string]oraclePair
	given    map[string]int // answers, by fill
	filling  string         // the one in use
	sent     map[string]int // answers by service
	at       int64
	joins    int // answers that agreed with one for another family
	parted   int // answers that did not although they could have

	kin int // bits of the query's subnet that its clients must share to get one answer
}

type oracleSession struct {
	service string
	until   int64
}

type oraclePair struct {
	service  string
	families string
	at       int64
}

// ruling is what the oracle says of a query.
type ruling struct {
	outcome string          // "services", "empty", "servfail" or "backup-address"
	v       string          // virtual server
	first   []string        // who may be first
	rest    []config.Member // those after it, in turn; nil: nobody
	resort  bool            // rest is the last resort
	session bool
	filled  bool           // by a fill
	fill    string         // its name
	pair    []string       // who may be first for the sake of another family; nil: that does not matter
	policy  *config.Policy // that narrowed the members down
	ttl     uint32
	stays   string // key of a spillover session to keep
}

func (o *oracle) find(name string) *config.VirtualServer {
	i := slices.IndexFunc(o.w.doc.VirtualServers, func(v config.VirtualServer) bool { return v.Name == name })
	if i < 0 {
		return nil
	}
	return &o.w.doc.VirtualServers[i]
}

func (o *oracle) service(name string) *config.Service {
	return &o.w.doc.Services[o.services[name]]
}

func (o *oracle) site(name string) *config.Site {
	i := slices.IndexFunc(o.w.doc.Sites, func(s config.Site) bool { return s.Name == name })
	return &o.w.doc.Sites[i]
}

// families lists what the domain's virtual server is asked for.
func (o *oracle) families() []Family {
	if o.w.doc.VirtualServers[0].Domains[0].HTTPS == nil {
		return []Family{FamilyNone, IPv4, IPv6}
	}
	return []Family{FamilyNone, IPv4, IPv6, AnyFamily, ByHost}
}

// client is whose address counts.
func (o *oracle) client(q Query) netip.Addr {
	if v := &o.w.doc.VirtualServers[0]; v.ClientSubnet && q.Subnet.IsValid() && q.Subnet.Bits() > 0 {
		return q.Subnet.Addr()
	}
	return q.LDNS
}

func (o *oracle) decide(q Query) ruling {
	own, client := &o.w.doc.VirtualServers[0], o.client(q)
	var left, spilled *config.VirtualServer // the first that sent the client on, for any reason and by spillover
	for v, depth := own, 0; v != nil && depth <= 10; v, depth = o.find(v.Backup), depth+1 {
		members, settled := o.field(v, q.Family, nil)
		disabled, draining := o.w.ordered[v.Name] == Disabled, o.w.ordered[v.Name] == Draining
		stays := !disabled && v.Persistence.Type != "" && o.session(v, q) != ""
		sent := false
		switch {
		case !settled && !stays:
			continue
		case draining && settled && !stays && !o.held(v):
			if left == nil {
				left = v
			}
			continue
		case draining:
		case settled && !o.held(v):
			sent = o.spills(v, q)
		}
		if !sent && (!settled || !o.held(v)) {
			r := o.answer(v, members, q, client)
			if spilled != nil && spilled.Spillover.Persistence {
				r.stays = o.key("spill", spilled, client)
			}
			return r
		}
		if left == nil {
			left = v
		}
		if spilled == nil && sent {
			spilled = v
		}
	}
	if left != nil {
		if left == spilled && o.w.ordered[left.Name] != Draining && left.Spillover.WithoutBackup == config.SpillEmpty && o.busy(left) {
			return ruling{outcome: "empty", v: left.Name, ttl: 30}
		}
		members, _ := o.field(left, q.Family, nil)
		return o.answer(left, members, q, client)
	}
	for _, f := range o.families() {
		if of, _ := o.field(own, f, nil); len(of) > 0 {
			return ruling{outcome: "empty", v: own.Name, ttl: 30} // it is up for the other family
		}
	}
	return o.lastResort(own, q.Family)
}

func (o *oracle) held(v *config.VirtualServer) bool {
	return o.w.held[v.Name] && v.BackupHold && v.Backup != ""
}

func (o *oracle) lastResort(v *config.VirtualServer, f Family) ruling {
	r := ruling{outcome: "services", v: v.Name, ttl: o.lowered(30), resort: true}
	switch {
	case v.WhenAllDown == config.AnswerServFail:
		r.outcome = "servfail"
	case v.WhenAllDown == config.AnswerBackupAddress && f != ByHost:
		r.outcome = "backup-address"
	case v.WhenAllDown != config.AnswerAll:
		r.outcome = "empty"
	default:
		for _, m := range byOrder(v) {
			if o.w.ordered[v.Name] != Disabled && o.w.status[m.Service].State != Disabled && o.has(m.Service, f) {
				r.first, r.rest = append(r.first, m.Service), append(r.rest, m)
			}
		}
		if len(r.first) == 0 {
			r.outcome = "empty"
		}
	}
	return r
}

func (o *oracle) has(name string, f Family) bool {
	switch f {
	case AnyFamily:
		return o.has(name, IPv4) || o.has(name, IPv6)
	case ByHost:
		return o.service(name).Host != ""
	}
	return slices.ContainsFunc(o.service(name).Addresses, func(a netip.Addr) bool { return a.Is4() == (f == IPv4) && f != FamilyNone })
}

// byOrder is a virtual server's members, best order first.
func byOrder(v *config.VirtualServer) []config.Member {
	out := slices.Clone(v.Members)
	sort.SliceStable(out, func(i, j int) bool {
		if v.ActiveOrder == config.OrderDescending {
			return out[i].Order > out[j].Order
		}
		return out[i].Order < out[j].Order
	})
	return out
}

func orders(v *config.VirtualServer) []int {
	var out []int
	for _, m := range byOrder(v) {
		if !slices.Contains(out, m.Order) {
			out = append(out, m.Order)
		}
	}
	return out
}

// fresh reports whether something measured then is.
func fresh(at time.Time) bool { return !at.IsZero() && epoch.Sub(at) <= 6*time.Second }

// limited reports whether a limit keeps a service out that is UP.
func (o *oracle) limited(name string) bool {
	s, st := o.service(name), o.w.status[name]
	if s.MaxConnections > 0 && st.Load.Active >= s.MaxConnections && fresh(st.Load.At) {
		return true
	}
	m := o.measures(name)
	return s.MaxBandwidth > 0 && m.Bandwidth.Value >= float64(s.MaxBandwidth) && fresh(m.Bandwidth.At) ||
		s.LoadThreshold > 0 && m.Custom.Value >= s.LoadThreshold && fresh(m.Custom.At)
}

func (o *oracle) measures(name string) Measures {
	if m := o.w.status[name].Measures; m != nil {
		return *m
	}
	return Measures{}
}

// field lists who may be picked for a family, of those that only says (nil: all), and whether that settles the matter:
// if so, with nobody, there is no answer of the family.
func (o *oracle) field(v *config.VirtualServer, f Family, only func(config.Member) bool) (of []config.Member, settled bool) {
	if o.w.ordered[v.Name] == Disabled {
		return nil, false
	}
	up := func(m config.Member) bool { return o.w.status[m.Service].State == Up }
	usable := func(m config.Member) bool { return up(m) && !o.limited(m.Service) }
	of, settled = o.fieldOf(v, f, only, usable)
	if settled || !v.EffectiveState || slices.ContainsFunc(v.Members, up) {
		return of, settled
	}
	return o.fieldOf(v, f, only, func(m config.Member) bool {
		state := o.w.status[m.Service].State
		return (state == Down || state == Unknown) &&
			slices.ContainsFunc(o.service(m.Service).BackupServices, func(b string) bool { return o.w.status[b].State == Up })
	})
}

func (o *oracle) fieldOf(v *config.VirtualServer, f Family, only, usable func(config.Member) bool) (of []config.Member, settled bool) {
	for _, strict := range []bool{true, false} {
		for _, order := range orders(v) {
			var may []config.Member
			all := 0
			for _, m := range v.Members {
				if m.Order != order || only != nil && !only(m) {
					continue
				}
				if o.w.status[m.Service].State != Disabled {
					all++
				}
				if usable(m) {
					may = append(may, m)
				}
			}
			if strict && len(may)*100 < v.OrderThreshold*all {
				continue
			}
			of, failing := o.family(may, f)
			if len(of) > 0 || len(may) > 0 && !failing {
				return of, true
			}
		}
	}
	return nil, false
}

// family lists the members that can answer a family, and says whether some cannot because their address fails.
func (o *oracle) family(usable []config.Member, f Family) (of []config.Member, failing bool) {
	for _, m := range usable {
		switch {
		case !o.has(m.Service, f):
		case o.fails(m.Service, f):
			failing = true
		default:
			of = append(of, m)
		}
	}
	return of, failing
}

func (o *oracle) fails(name string, f Family) bool {
	st := o.w.status[name]
	if f == AnyFamily {
		return !(o.has(name, IPv4) && !st.Without4) && !(o.has(name, IPv6) && !st.Without6)
	}
	return f == IPv4 && st.Without4 || f == IPv6 && st.Without6
}

// spills reports whether a client goes on to the backup although members could be picked.
func (o *oracle) spills(v *config.VirtualServer, q Query) bool {
	if v.Spillover.Method == "" || v.Backup == "" && v.Spillover.WithoutBackup != config.SpillEmpty {
		return false
	}
	if v.Backup != "" && v.Spillover.Persistence && o.stays[o.key("spill", v, o.client(q))] > o.at {
		return true
	}
	if !o.busy(v) {
		return false
	}
	return v.Persistence.Type == "" || o.session(v, q) == ""
}

// busy reports whether spillover's threshold is reached.
func (o *oracle) busy(v *config.VirtualServer) bool {
	usable := false
	for _, f := range o.families() {
		of, _ := o.field(v, f, nil)
		usable = usable || len(of) > 0
	}
	var active, limits, rate, up, all float64
	known := false
	for _, m := range v.Members {
		st := o.w.status[m.Service]
		if st.State != Disabled {
			all += float64(m.Weight)
		}
		if st.State != Up {
			continue
		}
		up, limits = up+float64(m.Weight), limits+float64(o.service(m.Service).MaxConnections)
		if !st.Load.At.IsZero() && epoch.Sub(st.Load.At) <= 2*time.Minute {
			active, known = active+float64(st.Load.Active)+st.Load.Expected, true
		}
		if b := o.measures(m.Service).Bandwidth; !b.At.IsZero() && epoch.Sub(b.At) <= 2*time.Minute {
			rate += b.Value + b.Expected
		}
	}
	threshold := float64(v.Spillover.Threshold)
	switch v.Spillover.Method {
	case config.SpilloverConnections:
		return usable && known && active >= threshold
	case config.SpilloverDynamicConnections:
		return usable && known && limits > 0 && active >= limits
	case config.SpilloverBandwidth:
		return usable && rate > 0 && rate >= threshold
	}
	return usable && all > 0 && up/all*100 < threshold
}

// key identifies a client's session.
func (o *oracle) key(kind string, v *config.VirtualServer, client netip.Addr) string {
	masked, _ := client.Prefix(maskOf(client, v.Persistence.Prefix4, v.Persistence.Prefix6))
	return fmt.Sprint(kind, " ", v.Name, " ", masked)
}

// session is the service that the client stays on; "" when it has no session that may be used.
func (o *oracle) session(v *config.VirtualServer, q Query) string {
	s, kept := o.kept(v, q)
	if !kept || !o.has(s, q.Family) || o.fails(s, q.Family) {
		return ""
	}
	f, i := q.Family, slices.IndexFunc(v.Members, func(m config.Member) bool { return m.Service == s })
	if v.Persistence.YieldToOrder {
		inUse, all := o.orderInUse(v, f), orders(v)
		if of, p := o.preferred(v, nil, q, o.client(q)); p != nil {
			inUse = of[0].Order
		}
		if slices.Index(all, inUse) < slices.Index(all, v.Members[i].Order) {
			return ""
		}
	}
	return s
}

// kept is the service that the client has a session with, and whether that is one that may be used for some family.
func (o *oracle) kept(v *config.VirtualServer, q Query) (service string, kept bool) {
	s, ok := o.sessions[o.key("session", v, o.client(q))]
	if !ok || s.until <= o.at || !slices.ContainsFunc(v.Members, func(m config.Member) bool { return m.Service == s.service }) {
		return "", false
	}
	switch o.w.status[s.service].State {
	case Up, Draining:
		return s.service, true
	case Down, Unknown: // by what stands in for it, when nobody is UP
		up := func(name string) bool { return o.w.status[name].State == Up }
		return s.service, v.EffectiveState && slices.ContainsFunc(o.service(s.service).BackupServices, up) &&
			!slices.ContainsFunc(v.Members, func(m config.Member) bool { return up(m.Service) })
	}
	return "", false
}

// orderInUse is the order that a virtual server answers from.
func (o *oracle) orderInUse(v *config.VirtualServer, f Family) int {
	for _, order := range orders(v) {
		for _, alone := range []bool{false} {
			of, settled := o.field(v, f, nil)
			if settled && len(of) > 0 && of[0].Order == order && !alone {
				return order
			}
		}
	}
	return o.emptyOrder(v, f)
}

// emptyOrder is the order in use when nobody of it has an address of the family.
func (o *oracle) emptyOrder(v *config.VirtualServer, f Family) int {
	for _, order := range orders(v) {
		if _, settled := o.field(v, f, func(m config.Member) bool { return m.Order == order }); settled {
			return order
		}
	}
	return orders(v)[0]
}

// answer says who may be named first when a virtual server answers from these members.
func (o *oracle) answer(v *config.VirtualServer, members []config.Member, q Query, client netip.Addr) ruling {
	r := ruling{outcome: "services", v: v.Name, ttl: 30}
	if slices.ContainsFunc(v.Members, func(m config.Member) bool {
		st := o.w.status[m.Service]
		return st.Doubt != "" && st.State != Disabled && st.State != Draining
	}) {
		r.ttl = o.lowered(30)
	}
	if v.Persistence.Type != "" {
		if s := o.session(v, q); s != "" {
			r.first, r.rest, r.session = []string{s}, members, true
			return r
		}
	}
	members, r.policy = o.preferred(v, members, q, client)
	if len(members) == 0 {
		r.outcome = "empty"
		return r
	}
	r.rest = members
	o.pick(v, members, q, client, &r)
	return r
}

// lowered is the TTL while a state is uncertain.
func (o *oracle) lowered(ttl uint32) uint32 {
	a := &o.w.doc.Settings.Answers
	if !a.AdaptiveTTL {
		return ttl
	}
	return min(ttl, uint32(a.LeastTTL.Std()/time.Second))
}

// preferred narrows members down to what the first policy prefers that matches and has somebody.
func (o *oracle) preferred(v *config.VirtualServer, members []config.Member, q Query, client netip.Addr) ([]config.Member, *config.Policy) {
	for i := range v.Policies {
		p := &v.Policies[i]
		if !o.matches(p, q, client) {
			continue
		}
		if of := o.preferredBy(v, p, q.Family); len(of) > 0 {
			return of, p
		}
	}
	return members, nil
}

// preferredBy is the members of a policy's first preference that has somebody.
func (o *oracle) preferredBy(v *config.VirtualServer, p *config.Policy, f Family) []config.Member {
	for _, order := range p.Orders {
		if of, _ := o.field(v, f, func(m config.Member) bool { return m.Order == order }); len(of) > 0 {
			return of
		}
	}
	for _, place := range p.Prefer {
		there := func(m config.Member) bool {
			return patternMatches(place, o.site(o.service(m.Service).Site).Location.Place)
		}
		if of, _ := o.field(v, f, there); len(of) > 0 {
			return of
		}
	}
	return nil
}

func (o *oracle) matches(p *config.Policy, q Query, client netip.Addr) bool {
	if len(p.Clients) > 0 && !slices.ContainsFunc(p.Clients, func(c netip.Prefix) bool { return c.Contains(client) }) {
		return false
	}
	if len(p.Places) > 0 {
		l := o.location(client)
		if l == nil || !slices.ContainsFunc(p.Places, func(pattern string) bool { return patternMatches(pattern, l.Place) }) {
			return false
		}
	}
	if len(p.Listeners) > 0 && !slices.Contains(p.Listeners, q.Listener) {
		return false
	}
	return true // names: there is one domain
}

// patternMatches reports whether a place begins with a pattern.
func patternMatches(pattern, place string) bool {
	if place == "" {
		return false
	}
	have, want := strings.Split(strings.ToLower(place), "."), strings.Split(strings.ToLower(pattern), ".")
	for i, q := range want {
		if i >= len(have) || q != "*" && q != have[i] {
			return false
		}
	}
	return true
}

// location is the longest prefix around a client; nil: nobody knows where it is.
func (o *oracle) location(client netip.Addr) *config.Location {
	var best *config.Location
	for i := range o.w.doc.Locations {
		if l := &o.w.doc.Locations[i]; l.Prefix.Contains(client) && (best == nil || l.Prefix.Bits() > best.Prefix.Bits()) {
			best = l
		}
	}
	return best
}

// weight is a member's weight now.
func (o *oracle) weight(v *config.VirtualServer, m config.Member) float64 {
	w, by := float64(m.Weight), o.measures(m.Service)
	switch {
	case v.DynamicWeight == config.DynamicMembers && !by.Members.At.IsZero():
		w *= max(1, by.Members.Value)
	case v.DynamicWeight == config.DynamicMemberWeight && !by.MemberWeight.At.IsZero():
		w *= max(1, by.MemberWeight.Value)
	}
	if share := o.w.status[m.Service].Share; share > 0 && share < 1 {
		w *= share
	}
	return w
}

// near reports whether two results of floating point are equal.
func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(1, math.Abs(a), math.Abs(b)) }

// maskOf is the one of two prefix lengths that is for the address.
func maskOf(a netip.Addr, four, six int) int {
	if a.Is4() {
		return four
	}
	return six
}
