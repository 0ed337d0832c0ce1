package bench

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/miekg/dns"
)

// ErrSilent is the error of a server that gives no answer at all.
var ErrSilent = errors.New("no answer")

// probeAttempts is how often Probe asks.
const probeAttempts = 3

// Probe asks a server one question before a run, so that a server that is not there is told from a slow one. With cookies
// it sends a new client cookie and returns what the option of later queries should hold: the client cookie, and the
// server's if it sent one (RFC 7873, 5.3).
func Probe(ctx context.Context, o *Options, name string, qtype uint16, cookies bool) (cookie []byte, err error) {
	query := new(dns.Msg).SetQuestion(dns.Fqdn(name), qtype)
	query.RecursionDesired = false
	var sent []byte
	if cookies {
		sent = make([]byte, 8)
		_, _ = rand.Read(sent) // never fails
		query.SetEdns0(payloadOctets, false)
		query.IsEdns0().Option = append(query.IsEdns0().Option, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: fmt.Sprintf("%x", sent)})
	}
	client := dns.Client{Net: string(o.Transport), Timeout: o.Timeout}
	if o.Transport == TLS {
		client.Net, client.TLSConfig = "tcp-tls", o.tlsConfig()
	}
	var answer *dns.Msg
	var timeout net.Error
	for range probeAttempts { // one packet may be lost
		answer, _, err = client.ExchangeContext(ctx, query, o.Target.String())
		if !errors.As(err, &timeout) || !timeout.Timeout() {
			break
		}
	}
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return nil, fmt.Errorf("%w from %s over %s within %v", ErrSilent, o.Target, o.Transport, o.Timeout.Round(time.Millisecond))
	case err != nil:
		return nil, fmt.Errorf("%w from %s over %s: %w", ErrSilent, o.Target, o.Transport, err)
	case !cookies:
		return nil, nil
	}
	if opt := answer.IsEdns0(); opt != nil {
		for _, option := range opt.Option {
			if c, ok := option.(*dns.EDNS0_COOKIE); ok && len(c.Cookie)/2 > len(sent) && len(c.Cookie)/2 <= maxCookie {
				var whole []byte
				if _, err := fmt.Sscanf(c.Cookie, "%x", &whole); err == nil && bytes.HasPrefix(whole, sent) {
					return whole, nil
				}
			}
		}
	}
	return sent, nil
}
