package demo

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"fairlead/api/resource"
)

// transports are the two ways to ask.
var transports = [...]struct {
	Name string
	TCP  bool
}{{"udp", false}, {"tcp", true}}

// names checks what does not depend on a method.
func (t *selfTest) names(ctx context.Context) {
	for _, q := range []struct {
		what string
		question
		want string
	}{
		{"a name that is not there", question{Name: "nothing"}, "NXDOMAIN with SOA"},
		{"a type that is not there", question{Name: "www", Type: "AAAA"}, "NOERROR with SOA"},
		{"a name elsewhere", question{Name: "www.example.org."}, "REFUSED"},
		{"a record of the zone", question{Name: "text", Type: "TXT"}, `NOERROR text.demo.test. 300 "served by every site"`},
		{"the case of letters", question{Name: "TeXt.dEmO.TEST.", Type: "TXT"}, `NOERROR TeXt.dEmO.TEST. 300 "served by every site"`},
		{"a name server", question{Name: "demo.test.", Type: "NS"}, "NOERROR demo.test. 3600 ns1.demo.test. ns2.demo.test."},
	} {
		t.everywhere(func(at *site) {
			for _, by := range transports {
				q.TCP = by.TCP
				t.equal(fmt.Sprintf("%s, at %s over %s", q.what, at.Name, by.Name), t.ask(ctx, at, q.question).text(), q.want)
			}
		})
	}
	t.everywhere(func(at *site) {
		a := t.ask(ctx, at, question{Name: "wWw.DeMo.tEsT."})
		t.equal("the case of a balanced name, at "+at.Name, fmt.Sprintf("%s %d", a.Owner, a.TTL), "wWw.DeMo.tEsT. 5")
	})
}

// text is the answer in words.
func (a answer) text() string {
	out := a.Rcode
	if len(a.Data) > 0 {
		out += fmt.Sprintf(" %s %d %s", a.Owner, a.TTL, strings.Join(a.Data, " "))
	}
	if a.SOA {
		out += " with SOA"
	}
	return out
}

// methods checks what each name's method promises while all is well, but for loads.
func (t *selfTest) methods(ctx context.Context) {
	t.proximity(ctx, "")
	t.everywhere(func(at *site) {
		a := t.ask(ctx, at, question{Name: "www"})
		t.equal("www without a client subnet, at "+at.Name, fmt.Sprintf("%d server, scope %d", len(a.Servers), a.Scope), "1 server, scope -1")
	})
	t.everywhere(func(at *site) {
		const cycle = 8 // the sum of the weights
		shares := map[string]int{}
		for i := range cycle {
			shares[t.ask(ctx, at, question{Name: "app", TCP: i%2 == 1}).first()]++
		}
		t.equal("app takes turns by weight, at "+at.Name, counts(shares), "ams-1 3, ams-3 1, nyc-1 2, nyc-3 2")
	})
	t.hashBefore = t.sameHash(ctx, "")
	t.everywhere(func(at *site) {
		t.equal("dr is at ams, at "+at.Name, t.ask(ctx, at, question{Name: "dr"}).first(), failing)
	})
	t.everywhere(func(at *site) {
		for _, by := range transports {
			a := t.ask(ctx, at, question{Name: "all", TCP: by.TCP})
			slices.Sort(a.Servers)
			t.equal(fmt.Sprintf("all has three addresses, at %s over %s", at.Name, by.Name),
				fmt.Sprintf("%d, %d of them different", len(a.Servers), len(slices.Compact(a.Servers))), "3, 3 of them different")
		}
	})
}

// proximity checks that each client gets its nearest site.
func (t *selfTest) proximity(ctx context.Context, when string) {
	for _, c := range []struct{ subnet, place, site, scope string }{
		{"192.0.2.0/24", "Amsterdam", siteAms, "24"},
		{"198.51.100.0/24", "New York", siteNyc, "24"},
		{"203.0.113.0/24", "Singapore", siteAms, "24"},
		{"2001:db8:1::/56", "Amsterdam by IPv6", siteAms, "48"},
		{"2001:db8:2::/56", "New York by IPv6", siteNyc, "48"},
	} {
		t.everywhere(func(at *site) {
			for _, by := range transports {
				a := t.ask(ctx, at, question{Name: "www", Subnet: c.subnet, TCP: by.TCP})
				t.equal(fmt.Sprintf("www for a client in %s, at %s over %s%s", c.place, at.Name, by.Name, when),
					fmt.Sprintf("%s, scope %d", t.sitesOf(a.Servers), a.Scope), c.site+", scope "+c.scope)
			}
		})
	}
}

// hashClients is how many client networks are tried: enough to meet most servers.
const hashClients = 24

// hashed returns the server of each client network at a site.
func (t *selfTest) hashed(ctx context.Context, at *site) (servers []string) {
	for i := range hashClients {
		a := t.ask(ctx, at, question{Name: "hash", Subnet: fmt.Sprintf("10.%d.7.0/24", i), TCP: i%2 == 1})
		got := a.first()
		if a.Scope != 24 {
			got += fmt.Sprintf(" scope %d", a.Scope)
		}
		servers = append(servers, got)
	}
	return servers
}

// sameHash checks that both sites agree on every client's server, and returns them.
func (t *selfTest) sameHash(ctx context.Context, when string) []string {
	here, there := t.hashed(ctx, t.sites[0]), t.hashed(ctx, t.sites[1])
	t.equal("hash is the same at both sites"+when, strings.Join(here, " "), strings.Join(there, " "))
	different := map[string]int{}
	for _, s := range here {
		different[s]++
	}
	t.holds("hash spreads clients"+when, len(different) >= 4 && len(different) <= len(t.servers), counts(different), "over most servers")
	return here
}

// reach follows answers to the servers, and asks the API why.
func (t *selfTest) reach(ctx context.Context) {
	t.everywhere(func(at *site) {
		a := t.ask(ctx, at, question{Name: "www", Subnet: playedClient})
		server := t.server(a.first())
		if server == nil {
			t.equal("www for a client in New York leads somewhere, at "+at.Name, a.text(), "an address")
			return
		}
		body, err := t.fetch(ctx, "http://"+server.Address.String()+"/")
		if err != nil {
			body = err.Error()
		}
		t.equal("what www leads to says who it is, at "+at.Name, strings.TrimSpace(body),
			fmt.Sprintf("%s at site %s, on %s", server.Name, server.Site, server.Address))
		var why resource.Explanation
		err = t.fetchAPI(ctx, at, "/v1/explain", url.Values{"name": {"www.demo.test"}, "subnet": {playedClient}}, &why)
		got := fmt.Sprint(err)
		if err == nil && len(why.Answer) == 1 {
			fields := strings.Fields(why.Answer[0])
			got = fmt.Sprintf("%s, scope %d", t.sitesOf([]string{t.serverAt(fields[len(fields)-1])}), why.Scope)
		}
		t.equal("explain says the same, at "+at.Name, got, "nyc, scope 24")
		t.holds("explain names its steps, at "+at.Name, len(why.Trace.Entries) > 2, fmt.Sprintf("%d", len(why.Trace.Entries)), "more than 2")
	})
}

// counts writes a tally in the order of its keys.
func counts(n map[string]int) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(n)) {
		out = append(out, fmt.Sprintf("%s %d", k, n[k]))
	}
	return strings.Join(out, ", ")
}
