package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"

	"fairlead/config"
)

const (
	// systemResolvers is where the system's resolvers are listed.
	systemResolvers = "/etc/resolv.conf"
	// maxResolvers is how many of the system's resolvers are asked, one after the other.
	maxResolvers = 3
	// askTimeout is the longest that one resolver may take for one question over one transport.
	askTimeout = 2 * time.Second
	// askSize is how long an answer over UDP may be.
	askSize = 1232
	// maxAliases bounds how far CNAMEs are followed inside one answer.
	maxAliases = 16
)

// familyAnswer is what a DNS name has of one family, or why that is not known.
type familyAnswer struct {
	addresses []netip.Addr
	ttl       time.Duration // least of the records that led there
	err       error
}

// asker asks resolvers for addresses. Safe for concurrent use.
type asker struct {
	resolvConf string // path of the list of the system's resolvers
}

// addresses asks for A and AAAA at once.
func (k *asker) addresses(ctx context.Context, a *config.Autoscale) (four, six familyAnswer) {
	var both sync.WaitGroup
	both.Go(func() { four = k.family(ctx, a, dns.TypeA) })
	six = k.family(ctx, a, dns.TypeAAAA)
	both.Wait()
	return four, six
}

// family asks one resolver after the other until one answers.
func (k *asker) family(ctx context.Context, a *config.Autoscale, qtype uint16) familyAnswer {
	resolvers, err := k.resolvers(a)
	if err != nil {
		return familyAnswer{err: err}
	}
	var errs []error
	for _, resolver := range resolvers {
		answer, err := ask(ctx, resolver, dns.Fqdn(a.Name), qtype)
		if err == nil {
			return answer
		}
		errs = append(errs, fmt.Errorf("ask %s for %s %s: %w", resolver, a.Name, dns.TypeToString[qtype], err))
		if ctx.Err() != nil {
			break
		}
	}
	return familyAnswer{err: errors.Join(errs...)}
}

// resolvers returns whom to ask. The system's list is read each time: it changes when the machine moves.
func (k *asker) resolvers(a *config.Autoscale) ([]string, error) {
	if address := a.ResolverAddress(); address != "" {
		return []string{address}, nil
	}
	system, err := dns.ClientConfigFromFile(k.resolvConf)
	if err != nil {
		return nil, fmt.Errorf("read the system's resolvers: %w; name one in autoscale.resolver", err)
	}
	if len(system.Servers) == 0 {
		return nil, fmt.Errorf("read the system's resolvers: %s names none; name one in autoscale.resolver", k.resolvConf)
	}
	resolvers := make([]string, min(len(system.Servers), maxResolvers))
	for i := range resolvers {
		resolvers[i] = net.JoinHostPort(system.Servers[i], system.Port)
	}
	return resolvers, nil
}

// ask asks over UDP, and over TCP when the answer does not fit.
func ask(ctx context.Context, resolver, name string, qtype uint16) (familyAnswer, error) {
	q := new(dns.Msg).SetQuestion(name, qtype)
	q.SetEdns0(askSize, false)
	reply, err := exchange(ctx, "udp", resolver, q)
	if err == nil && reply.Truncated {
		reply, err = exchange(ctx, "tcp", resolver, q)
	}
	switch {
	case err != nil:
		return familyAnswer{}, err
	case reply.Rcode != dns.RcodeSuccess:
		return familyAnswer{}, errors.New(dns.RcodeToString[reply.Rcode])
	}
	addresses, ttl := addressesOf(reply.Answer, name, qtype)
	return familyAnswer{addresses: addresses, ttl: ttl}, nil
}

func exchange(ctx context.Context, network, resolver string, q *dns.Msg) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	client := dns.Client{Net: network, Timeout: askTimeout, UDPSize: askSize}
	conn, err := client.DialContext(ctx, resolver)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // the client itself looks at deadlines only
	defer stop()
	reply, _, err := client.ExchangeWithConnContext(ctx, q, conn)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, fmt.Errorf("no reply: %w", ctx.Err())
	case err != nil:
		return nil, err
	case !reply.Response || len(reply.Question) != 1 || reply.Question[0].Qtype != q.Question[0].Qtype ||
		dns.CanonicalName(reply.Question[0].Name) != dns.CanonicalName(q.Question[0].Name):
		return nil, errors.New("the reply is to another question")
	}
	return reply, nil
}

// addressesOf returns the addresses that an answer section has for a name, by CNAMEs if need be: those that can be answered
// with, each once. ttl is the least of all records on the way.
func addressesOf(records []dns.RR, name string, qtype uint16) (addresses []netip.Addr, ttl time.Duration) {
	name = dns.CanonicalName(name)
	least := uint32(1<<31 - 1) // RFC 2181 section 8
	for range maxAliases {
		alias := ""
		for _, rr := range records {
			h := rr.Header()
			if h.Class != dns.ClassINET || dns.CanonicalName(h.Name) != name {
				continue
			}
			var ip net.IP
			switch r := rr.(type) {
			case *dns.CNAME:
				alias = dns.CanonicalName(r.Target)
				least = min(least, h.Ttl)
				continue
			case *dns.A:
				ip = r.A
			case *dns.AAAA:
				ip = r.AAAA
			}
			address, ok := netip.AddrFromSlice(ip)
			if !ok || h.Rrtype != qtype {
				continue
			}
			if qtype == dns.TypeA {
				address = address.Unmap()
			}
			least = min(least, h.Ttl)
			if config.Answerable(address) && !slices.Contains(addresses, address) {
				addresses = append(addresses, address)
			}
		}
		if len(addresses) > 0 || alias == "" {
			break
		}
		name = alias
	}
	if len(addresses) == 0 {
		return nil, 0
	}
	return addresses, time.Duration(least) * time.Second
}
