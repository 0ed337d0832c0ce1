package gslb

// Ordered is what an operator wants of one virtual server for a time, whatever its members are. The zero Ordered: nothing.
type Ordered struct {
	// State is Disabled: the virtual server is as if all its members were DISABLED; or Draining: new clients go to its backup, and
	// those with a session stay. Anything else: nothing is wanted.
	State State
	// Reason is whose order it is, and why, for people.
	Reason string
}

// order returns what an operator wants of a virtual server.
func (s *Status) order(vs int) Ordered {
	if vs >= len(s.Ordered) {
		return Ordered{}
	}
	return s.Ordered[vs]
}

// held reports whether a virtual server stays on its backup until an operator returns it.
func (s *Status) held(vs int) bool { return vs < len(s.Held) && s.Held[vs] }

// obey applies what an operator wants of a virtual server to its standing. What is computed of each query afterwards is the same: of one that
// is disabled nobody may be picked, which is what a query finds when all members are DISABLED.
func (s *Snapshot) obey(vs int, st *standing, last Family) {
	switch state := s.Status.order(vs).State; state {
	case Draining:
		st.ordered = state
	case Disabled:
		st.ordered, st.usable, st.spilled, st.doubt = state, false, false, ""
		for f := range last {
			*st.field(f) = field{}
			for i := range st.preferred {
				st.preferred[i][f] = field{}
			}
		}
		clear(st.resort[:])
		if st.other != nil {
			clear(st.other.resort[:])
		}
	}
}

// drained says whether the client leaves a virtual server that an operator drains: not while it has a session there that may be used.
func (d *Decider) drained(v *virtualServer, st *standing, f *field) Reason {
	if d.gone(v, st, f) == ReasonUsable {
		return ReasonUsable
	}
	return ReasonDrained
}
