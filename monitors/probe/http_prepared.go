package probe

import (
	"bytes"
	"context"
	"net/http"
	"net/netip"
	"regexp"

	"fairlead/config"
)

// httpQuestion is what is known of a request, and of what is looked for in the answer, before there is a target.
type httpQuestion struct {
	// before and after are the request of HTTP/1.1 as it is sent, around the Host that is the target's address. before is all of it
	// when the monitor names a host. nil: it has secrets, and is made anew each time.
	before, after []byte
	named         bool         // the monitor names a host
	asked         http.Request // by what its answer is read: the method
	pattern       *regexp.Regexp
	headOnly      bool // nothing is looked for in the body
}

// stand is the address that a request is made for to find out where its address is. It is of the net that is for documentation
// (RFC 5737), with a port that every Host header shows.
var stand = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 1}), 1)

// prepareHTTP reads what http and https probes ask.
func (p *Prepared) prepareHTTP() (err error) {
	m, q := &p.monitor, &p.http
	if p.passing, err = parseStatusSet("http.expect_status", m.HTTP.ExpectStatus); err != nil {
		return err
	}
	if q.pattern, err = compile("http.expect_body_regexp", m.HTTP.ExpectBodyRegexp); err != nil {
		return err
	}
	q.headOnly = m.HTTP.ExpectBody == "" && q.pattern == nil && (m.DrainOn == nil || m.DrainOn.Text == "")
	example := *m
	example.Target, example.Login = nil, nil
	secrets := m.Login != nil
	for _, h := range m.HTTP.Headers {
		secrets = secrets || h.Secret != ""
	}
	if secrets {
		example.HTTP.Headers = nil
	}
	x := exchange{ctx: context.Background(), monitor: &example, target: Target{Monitor: &example, Address: stand}}
	req, err := x.request()
	if err != nil {
		return err
	}
	q.asked.Method, q.named = req.Method, m.HTTP.Host != ""
	if secrets || m.HTTP.Version == config.HTTP2 {
		return nil
	}
	var whole bytes.Buffer
	if err := req.Write(&whole); err != nil {
		return err
	}
	q.before = whole.Bytes()
	if !q.named {
		const host = "\r\nHost: "
		q.before, q.after, _ = bytes.Cut(q.before, []byte(host+stand.String()+"\r\n"))
		q.before = append(bytes.Clone(q.before), host...)
		q.after = append([]byte("\r\n"), q.after...)
	}
	return nil
}

// appendTo appends the request for a target.
func (q *httpQuestion) appendTo(b []byte, to netip.AddrPort, standard uint16) []byte {
	b = append(b, q.before...)
	if q.named {
		return b
	}
	b = appendHost(b, netip.AddrPortFrom(to.Addr().WithZone(""), to.Port()), standard)
	return append(b, q.after...)
}
