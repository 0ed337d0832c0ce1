package adns

import (
	"strings"

	"github.com/miekg/dns"
)

// chaosTTL is the TTL of what a server says about itself: it is not to be cached.
const chaosTTL = 0

// Names that ask a server about itself (RFC 4892), as keys.
const (
	nameVersionBind   key = "\x07version\x04bind\x00"
	nameVersionServer key = "\x07version\x06server\x00"
	nameHostnameBind  key = "\x08hostname\x04bind\x00"
	nameIDServer      key = "\x02id\x06server\x00"
)

// chaos answers a question of class CH, if it is one that this server has an answer to. Nothing else is known of that class.
func (p *policy) chaos(q *query) (Answer, bool) {
	if q.qclass != dns.ClassCHAOS || q.qtype != dns.TypeTXT {
		return Answer{}, false
	}
	text := ""
	switch key(q.labels.suffix(0)) {
	case nameVersionBind, nameVersionServer:
		text = p.version
	case nameIDServer, nameHostnameBind:
		text = p.identity
	}
	if text == "" {
		return Answer{}, false
	}
	return Answer{Authoritative: true, Answer: []dns.RR{&dns.TXT{Txt: []string{text}, Hdr: dns.RR_Header{
		Name: q.name(), Rrtype: dns.TypeTXT, Class: dns.ClassCHAOS, Ttl: chaosTTL}}}}, true
}

// escapeText returns the form that miekg/dns wants the text of a TXT record in.
func escapeText(text string) string { return strings.ReplaceAll(text, `\`, `\\`) }
