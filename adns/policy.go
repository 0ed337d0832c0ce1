package adns

import (
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"

	"fairlead/adns/cookie"
	"fairlead/adns/rrl"

	"github.com/miekg/dns"
)

// maxChaosText bounds PolicyOptions.Version and Identity.
const maxChaosText = 128

// PolicyOptions say who is answered, and how much. The zero value answers everyone without a limit and speaks no cookies.
type PolicyOptions struct {
	// AllowQuery is who is answered, on every transport; all others get REFUSED. Nil: everyone is. Zones can have lists
	// of their own beside it.
	AllowQuery []netip.Prefix
	// ClientSubnetFrom is the resolvers whose EDNS Client Subnet counts; that of others is sent back with scope 0. Nil: all.
	ClientSubnetFrom []netip.Prefix
	// Cookies turns DNS cookies on (RFC 7873). CookieSecrets are as in SetCookieSecrets; none: a random one.
	Cookies       bool
	CookieSecrets []cookie.Secret
	// RateLimit limits equal responses over UDP to clients without a valid cookie. PerSecond 0: no limit.
	RateLimit rrl.Options
	// Version answers version.bind and version.server, Identity answers id.server and hostname.bind, both in class CH;
	// at most 128 octets. Empty: such questions are refused.
	Version, Identity string
}

// policy is the compiled form. It is immutable but for the cookie keys and what limiting notes for the log. Safe for
// concurrent use.
type policy struct {
	allow    *clients
	believed *clients
	keys     atomic.Pointer[cookie.Keys] // nil: cookies are not spoken
	limiter  *rrl.Limiter                // nil: no limit
	limiting limiting
	vouchers *Vouchers // nil: nobody asks
	made     int64     // Unix time of the server's making, which nanos count from
	version  string
	identity string
}

func newPolicy(o PolicyOptions) (*policy, error) {
	if max(len(o.Version), len(o.Identity)) > maxChaosText {
		return nil, fmt.Errorf("version or identity has more than %d octets", maxChaosText)
	}
	p := &policy{allow: newClients(o.AllowQuery), believed: newClients(o.ClientSubnetFrom),
		version: escapeText(o.Version), identity: escapeText(o.Identity)}
	if o.Cookies {
		keys, err := newCookieKeys(o.CookieSecrets)
		if err != nil {
			return nil, err
		}
		p.keys.Store(keys)
	}
	if o.RateLimit.PerSecond != 0 {
		limiter, err := rrl.New(o.RateLimit)
		if err != nil {
			return nil, err
		}
		p.limiter = limiter
	}
	return p, nil
}

func newCookieKeys(secrets []cookie.Secret) (*cookie.Keys, error) {
	if len(secrets) == 0 {
		return cookie.RandomKeys(), nil
	}
	return cookie.NewKeys(secrets...)
}

// SetCookieSecrets replaces the secrets of DNS cookies: new cookies are made with the first, both of two verify. To change
// the secret that several servers share, add the new one as the second everywhere, then make it the first, then remove the
// old one an hour later (RFC 9018 section 5). Safe for concurrent use.
func (s *Server) SetCookieSecrets(secrets ...cookie.Secret) error {
	if s.policy.keys.Load() == nil {
		return errors.New("set cookie secrets: DNS cookies are off")
	}
	keys, err := cookie.NewKeys(secrets...)
	if err != nil {
		return fmt.Errorf("set cookie secrets: %w", err)
	}
	s.policy.keys.Store(keys)
	return nil
}

// judgeClient is policy on who asks: the list of clients that are answered. It costs a nil check when there is none.
func (p *policy) judgeClient(c *client) verdict {
	if p.allow == nil || p.allow.contains(c.addr) {
		return verdict{}
	}
	return refuse(dns.RcodeRefused, edeProhibited)
}

// believes reports whether a resolver's EDNS Client Subnet counts.
func (p *policy) believes(resolver netip.Addr) bool {
	return p.believed == nil || p.believed.contains(resolver)
}
