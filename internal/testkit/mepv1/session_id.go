package mepv1

// sessionID orders the connections between two sites by age, the same at both ends: the incarnation of the site with the
// lower name, that of the other, then the connection numbers of the two Hellos likewise. So a newer instance of either
// site wins over an older one, and between the same two instances the later connection does.
type sessionID [4]uint64

func newSessionID(a, b Hello) sessionID {
	if b.Site < a.Site {
		a, b = b, a
	}
	return sessionID{a.Incarnation, b.Incarnation, a.Connection, b.Connection}
}

// newer reports whether i is the newer of two connections.
func (i sessionID) newer(j sessionID) bool {
	for k := range i {
		if i[k] != j[k] {
			return i[k] > j[k]
		}
	}
	return false
}
