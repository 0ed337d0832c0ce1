package gslb

import (
	"slices"

	"fairlead/config"
)

// field is the contenders of one virtual server for one family.
type field struct {
	// settled says that the virtual server has an answer for the family, if only that it has no address of it. Not
	// settled, its backup is asked.
	settled    bool
	effective  bool // nobody is UP: these have stand-ins that are
	paired     bool // its answers should agree with those for other families
	plain      bool // a decision is a pick among these, with nothing before or after it
	even       bool // all weights are equal
	preference int  // of a policy: which entry is in use
	order      int  // the order in use; meaningful when settled
	contenders []contender
	rotation   []uint16     // turns of round-robin, by index into contenders
	fills      [2]*fill     // of the method and of its backup method; nil: they compare no loads, or none was reported
	memo       *memo        // nil: few contenders
	draws      *draws       // nil: no method is source-ip-hash
	scoring    *scoring     // nil: no method is score
	spots      *scoredSpots // nil: no method is score
	sites      *fieldSites  // nil: few contenders
}

// contender is a member that may be picked.
type contender struct {
	service ServiceIndex
	site    uint32
	weight  uint32
	counted bool // Service.counted
	aliased bool // the service answers with a CNAME
}

// field finds who may be picked for a family: the members of the best order that has enough. only, which may be nil, says
// which members count at all, by index. An order whose usable members have no address of the family is in use all the same,
// and the answer is that there is none: a passive site must not get an active one's clients for want of an address. One
// whose address fails its monitors is passed over.
func (s *Snapshot) field(v *virtualServer, f Family, only []bool) field {
	if out := s.fieldOf(v, f, only, false); out.settled || !v.effective || s.anyUp(v) {
		return out
	}
	return s.fieldOf(v, f, only, true)
}

// anyUp reports whether a member is UP, whatever else keeps it out.
func (s *Snapshot) anyUp(v *virtualServer) bool {
	for i := range v.members {
		if r := s.memberReason(&v.members[i], false); r == ReasonUp || r == ReasonMaxConnections || r == ReasonMaxBandwidth || r == ReasonLoadThreshold {
			return true
		}
	}
	return false
}

func (s *Snapshot) fieldOf(v *virtualServer, f Family, only []bool, effective bool) field {
	var first field // the best order that has anybody
	for at := 0; at < len(v.members); {
		end := at + 1
		for end < len(v.members) && v.members[end].order == v.members[at].order {
			end++
		}
		out, enough := s.orderField(v, f, only, effective, at, end)
		switch {
		case out.settled && enough:
			return out
		case out.settled && !first.settled:
			first = out
		}
		at = end
	}
	return first
}

// orderField is the field of the members [at:end], which have one order. enough says that order_threshold is reached.
func (s *Snapshot) orderField(v *virtualServer, f Family, only []bool, effective bool, at, end int) (out field, enough bool) {
	out = field{order: v.members[at].order, effective: effective}
	without, failing := false, false
	usable, all := 0, 0
	for i := at; i < end; i++ {
		m := &v.members[i]
		if only != nil && !only[i] {
			continue
		}
		reason := s.memberReason(m, effective)
		if reason != ReasonDisabled {
			all++
		}
		if reason != ReasonUp && reason != ReasonEffective {
			continue
		}
		usable++
		switch s.familyReason(m, f) {
		case ReasonUp:
			out.contenders = append(out.contenders, s.contender(v, m))
		case ReasonAddressDown:
			failing = true
		default:
			without = true
		}
	}
	out.settled = len(out.contenders) > 0 || without && !failing
	return out, usable*100 >= v.orderThreshold*all
}

// preferredField is the field of the first preference of a policy with somebody to pick.
func (s *Snapshot) preferredField(v *virtualServer, p *policy, f Family) field {
	for i := range p.prefers {
		if out := s.field(v, f, p.prefers[i].members); len(out.contenders) > 0 {
			out.preference = i
			return out
		}
	}
	return field{}
}

// memberReason says whether a member may be picked, or why not. effective asks for members whose stand-ins are UP.
func (s *Snapshot) memberReason(m *member, effective bool) Reason {
	status := &s.Status.Services[m.service]
	switch status.State {
	case Up:
		return s.limitReason(m)
	case Disabled:
		return ReasonDisabled
	case Draining:
		return ReasonDraining
	}
	if effective && s.standInUp(m.service) {
		return ReasonEffective
	}
	if status.State == Down {
		return ReasonDown
	}
	return ReasonUnknown
}

// limitReason says which of its limits keeps a member out that is UP. A limit counts only while the value is fresh: a load
// source that has died does not keep a service out.
func (s *Snapshot) limitReason(m *member) Reason {
	svc, status := &s.Plan.services[m.service], &s.Status.Services[m.service]
	if svc.maxConnections > 0 && status.Load.Active >= svc.maxConnections && status.Load.Fresh(s.Status.At, svc.loadFresh) {
		return ReasonMaxConnections
	}
	by := status.Measures
	switch {
	case by == nil:
		return ReasonUp
	case svc.maxBandwidth > 0 && by.Bandwidth.Value >= float64(svc.maxBandwidth) && by.Bandwidth.Fresh(s.Status.At, svc.loadFresh):
		return ReasonMaxBandwidth
	case svc.loadThreshold > 0 && by.Custom.Value >= svc.loadThreshold && by.Custom.Fresh(s.Status.At, svc.loadFresh):
		return ReasonLoadThreshold
	}
	return ReasonUp
}

// standInUp reports whether a service that stands in behind another one's address is UP.
func (s *Snapshot) standInUp(i ServiceIndex) bool {
	return slices.ContainsFunc(s.Plan.services[i].standIns, func(j ServiceIndex) bool { return s.Status.Services[j].State == Up })
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

// shareUnits is a full weight while somebody in a field starts slowly.
const shareUnits = 64

// contender is a member in a field. Its weight is in shareUnits until the field is finished.
func (s *Snapshot) contender(v *virtualServer, m *member) contender {
	svc, st := &s.Plan.services[m.service], &s.Status.Services[m.service]
	weight := uint64(m.weight) * behind(v.dynamicWeight, st.Measures)
	weight *= shareUnits
	if st.Share > 0 && st.Share < 1 {
		weight = max(1, uint64(float64(weight)*st.Share))
	}
	return contender{service: m.service, site: svc.site, weight: uint32(min(weight, maxWeight)), counted: svc.counted, aliased: svc.CNAME != ""}
}

// maxWeight bounds a contender's weight, whatever its load source says is behind it.
const maxWeight = 1 << 31

// behind is what multiplies a weight: the last number that was told, 1 when there was none.
func behind(kind config.DynamicWeight, by *Measures) uint64 {
	value := 1.0
	switch {
	case by == nil:
	case kind == config.DynamicMembers && !by.Members.At.IsZero():
		value = by.Members.Value
	case kind == config.DynamicMemberWeight && !by.MemberWeight.At.IsZero():
		value = by.MemberWeight.Value
	}
	return uint64(min(max(value, 1), 1<<20))
}

// finishField fills in what depends on the whole field. old is the same field in the snapshot before, or nil; done returns further fields of
// the virtual server, as far as there are any, which may be finished.
func (s *Snapshot) finishField(v *virtualServer, f, old *field, done func(i int) *field) {
	if len(f.contenders) == 0 {
		return
	}
	f.even = reduceWeights(f.contenders)
	if old != nil && sameContenders(f, old) {
		f.rotation, f.memo, f.draws, f.sites, f.spots = old.rotation, old.memo, old.draws, old.sites, old.spots
	} else {
		if like := likeField(f, done); like != nil {
			f.rotation, f.draws = like.rotation, like.draws // which take much time and room for hundreds of members
		} else {
			f.rotation = rotation(turnWeights(f.contenders))
			f.draws = s.newDraws(v, f)
		}
		if len(f.contenders) > fewContenders {
			f.sites = newFieldSites(f.contenders, len(s.Plan.sites))
			f.memo = newMemo(v)
		}
	}
	if len(f.contenders) == 1 {
		return
	}
	if v.picking == byScore || v.backupPicking == byScore {
		f.scoring = s.newScoring(v, f)
		if f.spots == nil {
			f.spots = new(scoredSpots)
		}
	}
	for i, m := range [2]config.Method{v.method, v.backupMethod} {
		if comparesLoads(m) && m != config.Scored {
			f.fills[i] = newFill(s.pours(m, f), f.contenders)
		}
	}
}

// likeField returns a finished field with the same contenders; nil: there is none.
func likeField(f *field, done func(i int) *field) *field {
	for i := 0; ; i++ {
		other := done(i)
		if other == nil || other != f && other.rotation != nil && sameContenders(f, other) {
			return other
		}
	}
}

// reduceWeights divides all weights by what they have in common, and reports whether they are equal then.
func reduceWeights(contenders []contender) (even bool) {
	divisor := uint32(0)
	for i := range contenders {
		divisor = gcd(divisor, contenders[i].weight)
	}
	even = true
	for i := range contenders {
		contenders[i].weight /= divisor
		even = even && contenders[i].weight == contenders[0].weight
	}
	return even
}

// maxTurns bounds the length of a rotation.
const maxTurns = 1024 * 100

// turnWeights are the weights for a rotation: scaled down when their sum is beyond what a rotation may have.
func turnWeights(contenders []contender) []uint32 {
	out := make([]uint32, len(contenders))
	total := uint64(0)
	for i := range contenders {
		out[i] = contenders[i].weight
		total += uint64(out[i])
	}
	if total <= maxTurns {
		return out
	}
	room := uint64(maxTurns) - 2*uint64(len(out)) // rounding and the least may add as many
	for i := range out {
		out[i] = uint32(max(1, (uint64(out[i])*room+total/2)/total))
	}
	return out
}
