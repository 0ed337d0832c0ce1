package doctor

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/dns"

	"fairlead/config"
)

const (
	// maxZones is how many zones are looked at, zonesAtOnce how many at a time.
	maxZones    = 16
	zonesAtOnce = 4
	// maxServers is how many addresses of a zone's name servers are asked.
	maxServers = 16
)

// reservedNames are top-level names that are not in the public tree (RFC 6761, RFC 6762, RFC 7686, RFC 8375), and internal.
func reservedNames() []string {
	return []string{"test.", "example.", "invalid.", "localhost.", "local.", "onion.", "internal.", "home.arpa."}
}

// visit is the look at one zone's delegation.
type visit struct {
	p         *patient
	f         *findings
	zone      string // absolute, lower case
	names     []string
	resolvers []string
}

// delegation checks that resolvers which begin at the parent of each zone get to this site and the others.
func (p *patient) delegation(ctx context.Context, f *findings) {
	if p.doc == nil || len(p.doc.Zones) == 0 {
		f.skip("", "no zone is known")
		return
	}
	resolvers, err := p.resolvers()
	if err != nil || len(resolvers) == 0 {
		f.skip("", "no resolver is known to find the parents of zones with: --resolver ADDRESS (%v)", err)
		return
	}
	zones := differentZones(p.doc)
	if len(zones) > maxZones {
		f.skip("", "%d of %d zones are looked at", maxZones, len(zones))
		zones = zones[:maxZones]
	}
	found := make([]*findings, len(zones))
	slots := make(chan struct{}, zonesAtOnce)
	var all sync.WaitGroup
	for n, z := range zones {
		found[n] = &findings{check: f.check}
		v := &visit{p: p, f: found[n], zone: dns.CanonicalName(z.Name), resolvers: resolvers}
		for _, name := range z.Nameservers {
			v.names = append(v.names, dns.CanonicalName(name))
		}
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			v.look(ctx)
		})
	}
	all.Wait()
	for _, one := range found {
		f.list = append(f.list, one.all()...)
	}
}

// differentZones lists zones, each name once, whatever views there are.
func differentZones(d *config.Document) []*config.Zone {
	var list []*config.Zone
	for i := range d.Zones {
		z := &d.Zones[i]
		if !slices.ContainsFunc(list, func(o *config.Zone) bool { return dns.CanonicalName(o.Name) == dns.CanonicalName(z.Name) }) {
			list = append(list, z)
		}
	}
	return list
}

func (v *visit) add(level Level, subject, seen, why, do string) {
	v.f.add(level, strings.TrimSpace(strings.TrimSuffix(v.zone, ".")+" "+subject), seen, why, do)
}

const notFound = "resolvers do not find the zone: nobody is answered"

// look goes from the parent down to each server of the zone.
func (v *visit) look(ctx context.Context) {
	for _, reserved := range reservedNames() {
		if dns.IsSubDomain(reserved, v.zone) {
			v.add(Skipped, "", "names below "+strings.TrimSuffix(reserved, ".")+" are not in the public tree", "", "")
			return
		}
	}
	parent, servers, err := v.parent(ctx)
	if v.late(ctx) {
		return
	}
	if err != nil {
		v.add(Warning, "", errText(err), "whether resolvers find the zone is not known", "ask again, or with another --resolver")
		return
	}
	d := v.delegated(ctx, parent, servers)
	if v.late(ctx) || d == nil {
		return
	}
	v.compareNames(parent, d)
	targets := v.targets(ctx, d)
	replies := v.askServers(ctx, targets)
	if v.late(ctx) {
		return
	}
	good := v.judgeServers(replies)
	v.compareReplies(d, replies)
	v.signed(ctx, d, good)
	v.own(targets)
	if len(good) > 0 && len(good) == len(targets) {
		v.add(OK, "", fmt.Sprintf("%s delegates it to %s; each of %s answers over UDP and TCP", parent, countOf(len(d.names), "name server"), countOf(len(good), "address")), "", "")
	}
}

// late reports whether the time is up, and says so: what did not answer by then may be well.
func (v *visit) late(ctx context.Context) bool {
	if ctx.Err() == nil {
		return false
	}
	v.f.timeUp(strings.TrimSuffix(v.zone, "."))
	return true
}

// compareNames compares what the parent says with what the document says.
func (v *visit) compareNames(parent string, d *delegation) {
	if len(v.names) == 0 {
		return // the zone's own file or its primary says so; compareReplies sees it
	}
	lacking, strange := difference(v.names, d.names), difference(d.names, v.names)
	if len(lacking) > 0 {
		v.add(Warning, "", fmt.Sprintf("%s does not name %s, which the document does", parent, strings.Join(lacking, ", ")), "it gets few or no queries", "add NS records there, or remove it from nameservers")
	}
	if len(strange) > 0 {
		v.add(Warning, "", fmt.Sprintf("%s names %s, which the document does not", parent, strings.Join(strange, ", ")), "part of the queries goes there, at least at first", "remove the NS records there, or add it to nameservers")
	}
}

// difference lists what is in a and not in b.
func difference(a, b []string) []string {
	var list []string
	for _, name := range a {
		if !slices.Contains(b, name) {
			list = append(list, name)
		}
	}
	return list
}

// own says whether this node is one of those that are asked.
func (v *visit) own(targets []target) {
	if v.p.node == nil || len(targets) == 0 {
		return
	}
	if s := v.p.doc.Site(v.p.node.Site); s != nil && !s.Answers() {
		return
	}
	own := listening(v.p.node)
	public := false
	for _, a := range own {
		if slices.ContainsFunc(targets, func(t target) bool { return t.address == a }) {
			return
		}
		public = public || a.IsGlobalUnicast() && !a.IsPrivate()
	}
	if public {
		v.add(Warning, "", "none of the name servers has an address that this node listens on", "this node gets no queries from resolvers", "delegate to it, too; if it is behind an address of a router or an anycast address, all is well")
		return
	}
	v.add(Skipped, "", "whether this node is one of the name servers cannot be told: its own addresses are private", "", "")
}

// judgeServers reports servers that do not do what they must, and returns those that do.
func (v *visit) judgeServers(replies []reply) (good []reply) {
	const lame = "resolvers that pick it wait, and ask another one; with few others, names stop to resolve"
	noV6 := 0
	for _, r := range replies {
		switch {
		case r.absurd:
			v.add(Failed, r.subject(), "the delegation leads to an address that others cannot reach", lame, "correct its address records (glue) in the parent zone")
		case r.unroutable:
			noV6++
		case r.udpErr != nil && r.tcpErr != nil:
			v.add(Failed, r.subject(), errText(r.udpErr), lame, "is a node running there, and are UDP and TCP port 53 let through?")
		case r.udpErr != nil:
			v.add(Failed, r.subject(), errText(r.udpErr), lame, "let UDP port 53 through")
		case r.tcpErr != nil:
			v.add(Failed, r.subject(), errText(r.tcpErr), "truncated answers, and clients that the rate limit suspects, come over TCP", "let TCP port 53 through")
		case r.rcode != dns.RcodeSuccess || !r.authoritative:
			v.add(Failed, r.subject(), fmt.Sprintf("it answers %s, and is not authoritative for the zone", rcodeText(r.rcode)), lame, "is the zone in its document, and allow_query open?")
		case !r.edns:
			v.add(Warning, r.subject(), "it does not answer with EDNS", "client subnets do not get there, and answers are short", "is something between that strips EDNS?")
			good = append(good, r)
		default:
			good = append(good, r)
		}
	}
	if noV6 > 0 {
		v.add(Skipped, "", fmt.Sprintf("%s of IPv6: this machine has no way to IPv6", countOf(noV6, "address")), "", "")
	}
	return good
}

func rcodeText(rcode int) string {
	if s := dns.RcodeToString[rcode]; s != "" {
		return s
	}
	return fmt.Sprintf("RCODE%d", rcode)
}

// compareReplies compares the servers with each other and with the parent.
func (v *visit) compareReplies(d *delegation, replies []reply) {
	serials := map[uint32][]string{}
	var first *reply
	for i := range replies {
		r := &replies[i]
		if r.soa == nil {
			continue
		}
		serials[r.soa.Serial] = append(serials[r.soa.Serial], r.address.String())
		if first == nil {
			first = r
			if !slices.Equal(r.ns, d.names) && len(v.names) == 0 && len(r.ns) > 0 {
				v.add(Warning, "", fmt.Sprintf("the zone names %s, its parent %s", strings.Join(r.ns, ", "), strings.Join(d.names, ", ")), "resolvers believe one at first and the other later", "make them equal")
			}
		} else if len(r.ns) > 0 && len(first.ns) > 0 && !slices.Equal(r.ns, first.ns) {
			v.add(Warning, r.subject(), fmt.Sprintf("it names %s, and %s names %s", strings.Join(r.ns, ", "), first.address, strings.Join(first.ns, ", ")), "the servers have different versions of the zone", "fairlead sync status")
		}
	}
	if len(serials) > 1 {
		var parts []string
		for serial, at := range serials {
			parts = append(parts, fmt.Sprintf("%d at %s", serial, strings.Join(at, ", ")))
		}
		slices.Sort(parts)
		v.add(Warning, "", "the servers have different versions (SOA serial): "+strings.Join(parts, "; "), "clients get old records from some", "fairlead sync status; of a zone from primaries: fairlead status secondaries")
	}
	for _, r := range replies {
		if len(r.glue) == 0 || len(r.ownAddresses) == 0 || slices.Equal(r.glue, r.ownAddresses) {
			continue
		}
		v.add(Warning, r.name, fmt.Sprintf("the parent says that it has %s, the zone %s", addressList(r.glue), addressList(r.ownAddresses)), "resolvers use the one at first and the other later", "correct the glue in the parent zone, or the zone's records")
	}
}

func addressList(list []netip.Addr) string {
	var texts []string
	for _, a := range list {
		texts = append(texts, a.String())
	}
	return strings.Join(texts, ", ")
}

// signed checks that a zone whose parent says that it is signed, is.
func (v *visit) signed(ctx context.Context, d *delegation, good []reply) {
	if len(d.ds) == 0 || len(good) == 0 {
		return
	}
	const why = "resolvers that validate answer SERVFAIL for all names of the zone"
	m, err := v.ask(ctx, v.zone, "DNSKEY", good[0].server(), true, false)
	if err != nil {
		if v.late(ctx) {
			return
		}
		v.add(Warning, good[0].subject(), errText(err), "whether its keys are those of the parent's DS records is not known", "ask again")
		return
	}
	keys := 0
	for _, rr := range m.Answer {
		key, is := rr.(*dns.DNSKEY)
		if !is || keys == maxKeys {
			continue
		}
		keys++
		for _, ds := range d.ds {
			if made := key.ToDS(ds.DigestType); made != nil && made.KeyTag == ds.KeyTag && strings.EqualFold(made.Digest, ds.Digest) {
				v.add(OK, "", "a DS record of the parent is of a key of the zone", "", "")
				return
			}
		}
	}
	if keys == 0 {
		v.add(Failed, "", "the parent has DS records, and the zone is not signed", why, "remove the DS records in the parent zone: Fairlead does not sign")
		return
	}
	v.add(Failed, "", "none of the parent's DS records is of a key of the zone", why, "put the DS records of the present keys into the parent zone")
}
