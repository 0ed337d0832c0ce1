package gslb

import "slices"

// standing is what belief makes of one virtual server: who may be picked now. It is computed when a snapshot is made, so
// that a query does the same little work however many members are down.
type standing struct {
	usable bool                     // somebody may be picked, for some family
	fields [families]field          // who may be picked, by the family asked for
	resort [families][]ServiceIndex // who is named when nobody may be picked
	other  *others                  // nil when the virtual server is not asked for the other families
}

// others is standing's fields and last resort for the other families.
type others struct {
	fields [otherFamilies]field
	resort [otherFamilies][]ServiceIndex
}

// field returns who may be picked for a family: nobody for one that the virtual server is not asked for.
func (st *standing) field(f Family) *field {
	switch {
	case f < families:
		return &st.fields[f]
	case st.other == nil:
		return new(field)
	}
	return &st.other.fields[f-families]
}

// lastResort returns who is named for a family when nobody may be picked.
func (st *standing) lastResort(f Family) []ServiceIndex {
	switch {
	case f < families:
		return st.resort[f]
	case st.other == nil:
		return nil
	}
	return st.other.resort[f-families]
}

// field is the contenders of one virtual server for one family.
type field struct {
	// settled says that the virtual server has an answer for the family, if only that it has no address of it. Not
	// settled, its backup is asked.
	settled    bool
	order      int // the order in use; meaningful when settled
	contenders []contender
	rotation   []uint16 // turns of round-robin, by index into contenders
	loaded     bool     // at least one contender's load was reported
}

// contender is a member that may be picked.
type contender struct {
	service ServiceIndex
	site    uint32
	weight  uint32
	seed    uint64
	counted bool // Service.counted
	aliased bool // the service answers with a CNAME
	load    estimate
}

// estimate is a contender's load as least-connection compares it.
type estimate struct {
	active    float64 // connections
	perAnswer float64 // connections that each answer since the report adds
	handed    uint64  // Learned's count when the report came
	basis     basis
}

// basis says where an estimate comes from.
type basis uint8

const (
	basisNone     basis = iota // never reported: the mean of the others
	basisAged                  // reported, but longer ago than loads stay fresh: the last value
	basisMeasured              // fresh
)

// Snapshot is everything a decision reads: compiled intent, belief, and what follows from both alone. Immutable.
type Snapshot struct {
	Generation uint64
	Plan       *Plan
	Status     *Status
	standings  []standing
}

// NewSnapshot compiles belief, as of status.At, into standings. prev, which may be nil, is the snapshot before: what did
// not change is reused.
func NewSnapshot(generation uint64, plan *Plan, status *Status, prev *Snapshot) *Snapshot {
	s := &Snapshot{Generation: generation, Plan: plan, Status: status, standings: make([]standing, len(plan.virtualServers))}
	for i := range s.standings {
		st := &s.standings[i]
		*st = s.stand(i)
		for f := range Family(families + otherFamilies) {
			if f >= families && st.other == nil {
				break
			}
			var old *field
			if prev != nil && prev.Plan == plan {
				old = prev.standings[i].field(f)
			}
			st.field(f).finish(old)
		}
	}
	return s
}

// Usable reports whether a virtual server has a member that may be picked.
func (s *Snapshot) Usable(v VirtualServerIndex) bool { return s.standings[v].usable }

func (s *Snapshot) stand(vs int) standing {
	var st standing
	v := &s.Plan.virtualServers[vs]
	for f := range Family(families) {
		st.fields[f] = s.field(v, f)
		st.usable = st.usable || len(st.fields[f].contenders) > 0
		st.resort[f] = s.lastResort(v, f)
	}
	if s.Plan.others == nil || s.Plan.others[vs] == none {
		return st
	}
	st.other = new(others)
	for f := range st.other.fields {
		st.other.fields[f] = s.field(v, families+Family(f))
		st.usable = st.usable || len(st.other.fields[f].contenders) > 0
		st.other.resort[f] = s.lastResort(v, families+Family(f))
	}
	return st
}

// field finds who may be picked for a family: the members of the lowest order that has some. An order whose usable
// members have no address of the family is in use all the same, and the answer is that there is none: a passive site must
// not get an active one's clients for want of an address. One whose address fails its monitors is passed over.
func (s *Snapshot) field(v *virtualServer, f Family) field {
	for rest := v.members; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].order == rest[0].order {
			n++
		}
		out := field{order: rest[0].order}
		without, failing := false, false
		for i := range rest[:n] {
			m := &rest[i]
			if s.memberReason(m) != ReasonUp {
				continue
			}
			switch s.familyReason(m, f) {
			case ReasonUp:
				out.contenders = append(out.contenders, s.contender(m))
			case ReasonAddressDown:
				failing = true
			default:
				without = true
			}
		}
		if out.settled = len(out.contenders) > 0 || without && !failing; out.settled {
			return out
		}
		rest = rest[n:]
	}
	return field{}
}

// memberReason says whether a member may be picked, or why not.
func (s *Snapshot) memberReason(m *member) Reason {
	svc, status := &s.Plan.services[m.service], &s.Status.Services[m.service]
	switch {
	case status.State == Up && svc.maxConnections > 0 && status.Load.Active >= svc.maxConnections &&
		status.Load.Fresh(s.Status.At, svc.loadFresh):
		return ReasonMaxConnections
	case status.State == Up:
		return ReasonUp
	case status.State == Down:
		return ReasonDown
	case status.State == Disabled:
		return ReasonDisabled
	case status.State == Draining:
		return ReasonDraining
	}
	return ReasonUnknown
}

// familyReason says whether a member that may be picked can answer a query of the family.
func (s *Snapshot) familyReason(m *member, f Family) Reason {
	status, svc := &s.Status.Services[m.service], &s.Plan.services[m.service]
	switch {
	case !svc.answers(f) && f == ByHost:
		return ReasonNoHost
	case !svc.answers(f):
		return ReasonNoAddress
	case f == IPv4 && status.Without4, f == IPv6 && status.Without6:
		return ReasonAddressDown
	case f == AnyFamily && svc.CNAME == "" && (!svc.Addr4.IsValid() || status.Without4) && (!svc.Addr6.IsValid() || status.Without6):
		return ReasonAddressDown
	}
	return ReasonUp
}

func (s *Snapshot) contender(m *member) contender {
	svc, load := &s.Plan.services[m.service], &s.Status.Services[m.service].Load
	c := contender{service: m.service, site: svc.site, weight: m.weight, seed: svc.seed, counted: svc.counted, aliased: svc.CNAME != ""}
	if load.At.IsZero() {
		c.load.handed = load.Handed
		return c
	}
	c.load = estimate{active: float64(load.Active), perAnswer: load.PerAnswer, handed: load.Handed, basis: basisAged}
	if load.Fresh(s.Status.At, svc.loadFresh) {
		c.load.basis = basisMeasured
	}
	return c
}

// lastResort is every member that an operator did not take out, whatever its health: the lowest order first. All of them,
// also when one answer cannot name so many: the only one that lives may be the last.
func (s *Snapshot) lastResort(v *virtualServer, f Family) []ServiceIndex {
	var out []ServiceIndex
	for i := range v.members {
		m := v.members[i].service
		if s.Status.Services[m].State == Disabled || !s.Plan.services[m].answers(f) {
			continue
		}
		out = append(out, m)
	}
	return out
}

// finish fills in what depends on the whole field. old is the same field in the snapshot before, or nil.
func (f *field) finish(old *field) {
	if old != nil && slices.EqualFunc(f.contenders, old.contenders, func(a, b contender) bool {
		return a.service == b.service && a.weight == b.weight
	}) {
		f.rotation = old.rotation
	} else {
		weights := make([]uint32, len(f.contenders))
		for i := range f.contenders {
			weights[i] = f.contenders[i].weight
		}
		f.rotation = rotation(weights)
	}
	f.estimateMissing()
}

// estimateMissing gives contenders that never reported a load the mean of the others per weight. One silent site then
// gets its share, and the others are still compared by what they report. How many connections an answer brings is the
// clients' habit, not the service's: all contenders get the mean, or one that was learned sooner would draw the answers.
func (f *field) estimateMissing() {
	var active, perAnswer, weight, reported float64
	for i := range f.contenders {
		if c := &f.contenders[i]; c.load.basis != basisNone {
			reported++
			active += c.load.active
			perAnswer += c.load.perAnswer
			weight += float64(c.weight)
		}
	}
	if f.loaded = reported > 0; !f.loaded {
		return
	}
	for i := range f.contenders {
		c := &f.contenders[i]
		c.load.perAnswer = perAnswer / reported
		if c.load.basis == basisNone {
			c.load.active = active / weight * float64(c.weight)
		}
	}
}
