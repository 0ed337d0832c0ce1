package adns

import (
	"fairlead/adns/cookie"
)

// standing is what a query's cookie says of its client. The zero standing is of a query without one, or of a server that
// speaks none.
type standing struct {
	spoke  bool // the query had a well-formed COOKIE option
	status cookie.Status
}

// proven reports whether the client is known to receive what is sent to its address: by a handshake or a cookie.
func (s standing) proven(t Transport) bool { return t != UDP || s.status.Valid() }

// judgeCookie judges the data of a query's COOKIE option. It reports false when that is malformed, which is answered with
// FORMERR (RFC 7873 section 5.2.2). A server that speaks no cookies ignores the option whatever it holds. now is Unix time.
func (p *policy) judgeCookie(option []byte, c *client, now uint32) (st standing, ok bool) {
	keys := p.keys.Load()
	if keys == nil {
		return standing{}, true
	}
	st.status = keys.Verify(option, c.addr, now)
	st.spoke = st.status != cookie.Malformed
	return st, st.spoke
}

// appendCookie appends the COOKIE option's data for the response to a query whose option was judged: the same cookie if it
// will do for some time, else a new one. option may lie in dst.
func (p *policy) appendCookie(dst, option []byte, st standing, c *client, now uint32) []byte {
	if st.status == cookie.Fresh {
		return append(dst, option...)
	}
	return p.keys.Load().Make(dst, option, c.addr, now)
}
