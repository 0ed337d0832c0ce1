package convert_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/gslb"
	"fairlead/internal/convert"
)

// asked is one question to a converted document.
type asked struct {
	name   string
	domain string
	family gslb.Family
	client string
	subnet string
	down   []string
	want   []string // the first service of the answer is one of these; nil: there is none
}

// ask answers a question with all services up but those that are down.
func ask(t *testing.T, r *convert.Result, q asked) gslb.Decision {
	t.Helper()
	plan, down := compiled(t, r), q.down
	doc, _ := config.Parse(config.Source{Text: r.Document})
	for _, s := range doc.Expanded(nil).Services {
		if s.State == config.ServiceDisabled {
			down = append(slices.Clip(down), s.Name)
		}
	}
	now := time.Unix(1_700_000_000, 0)
	status := &gslb.Status{At: now, Services: make([]gslb.ServiceStatus, plan.Services())}
	for i := range status.Services {
		status.Services[i] = gslb.ServiceStatus{State: gslb.Up, Since: now.Add(-time.Hour), Seen: now}
	}
	for _, name := range down {
		i, ok := plan.ServiceByName(name)
		if !ok {
			t.Fatalf("there is no service %q", name)
		}
		status.Services[i].State = gslb.Down
	}
	if q.family == gslb.FamilyNone {
		q.family = gslb.IPv4
	}
	query := gslb.Query{Domain: domainOf(t, plan, q.domain), Family: q.family, LDNS: netip.MustParseAddr(q.client), At: now.Unix()}
	if q.subnet != "" {
		query.Subnet = netip.MustParsePrefix(q.subnet)
	}
	return gslb.Decide(gslb.NewSnapshot(1, plan, status, nil), query, gslb.NewLearned(plan), now, nil)
}

func domainOf(t *testing.T, plan *gslb.Plan, name string) gslb.DomainIndex {
	t.Helper()
	for i := range plan.Domains() {
		if plan.Domain(gslb.DomainIndex(i)).Name == name+"." {
			return gslb.DomainIndex(i)
		}
	}
	t.Fatalf("there is no domain %q", name)
	return 0
}

// TestDecisions asks converted documents what a NetScaler with the same configuration is known to answer.
func TestDecisions(t *testing.T) {
	centres, tree := sample(t, "two-data-centres"), sample(t, "parent-child")
	for _, q := range []struct {
		result *convert.Result
		asked
	}{
		{centres, asked{name: "proximity east", domain: "shop.gslb.example.com", client: "192.0.2.200", want: []string{"web-ams"}}},
		{centres, asked{name: "proximity west", domain: "shop.gslb.example.com", client: "198.51.100.200", want: []string{"web-nyc"}}},
		{centres, asked{name: "AAAA of the same name", domain: "shop.gslb.example.com", family: gslb.IPv6, client: "198.51.100.200", want: []string{"web-nyc-v6"}}},
		{centres, asked{name: "client subnet does not count", domain: "shop.gslb.example.com", client: "192.0.2.200", subnet: "198.51.100.0/24", want: []string{"web-ams"}}},
		{centres, asked{name: "preferred location", domain: "www.gslb.example.com", client: "10.10.3.4", want: []string{"web-ams"}}},
		{centres, asked{name: "the other site stands in", domain: "www.gslb.example.com", client: "192.0.2.200", down: []string{"web-ams"}, want: []string{"web-nyc"}}},
		{centres, asked{name: "order 1 first", domain: "app.gslb.example.com", client: "10.1.1.1", want: []string{"app-ams"}}},
		{centres, asked{name: "order 1000 next", domain: "app.gslb.example.com", client: "10.1.1.1", down: []string{"app-ams"}, want: []string{"app-nyc"}}},
		{centres, asked{name: "backup address", domain: "app.gslb.example.com", client: "10.1.1.1", down: []string{"app-ams", "app-nyc"}}},
		{tree, asked{name: "descending orders", domain: "portal.corp.example.org", client: "10.1.1.1", want: []string{"grp-west:10.2.0.11", "grp-east:10.1.0.12"}}},
		{tree, asked{name: "an order below its threshold", domain: "portal.corp.example.org", client: "10.1.1.1", down: []string{"grp-west:10.2.0.11"},
			want: []string{"grp-east:10.1.0.11", "grp-east:10.1.0.12-8081"}}},
		{tree, asked{name: "backup virtual server", domain: "portal.corp.example.org", client: "10.1.1.1",
			down: []string{"grp-west:10.2.0.11", "grp-east:10.1.0.11", "grp-east:10.1.0.12", "grp-east:10.1.0.12-8081"}, want: []string{"svc-two"}}},
		{tree, asked{name: "a policy selects orders", domain: "portal.corp.example.org", client: "198.51.100.9", down: []string{"grp-west:10.2.0.11", "grp-east:10.1.0.12"},
			want: []string{"grp-east:10.1.0.11", "grp-east:10.1.0.12-8081"}}},
	} {
		t.Run(q.name, func(t *testing.T) {
			d := ask(t, q.result, q.asked)
			if q.want == nil {
				if d.Outcome != gslb.OutcomeBackupAddresses {
					t.Errorf("outcome: got %v, want backup addresses", d.Outcome)
				}
				return
			}
			if d.Outcome != gslb.OutcomeServices || d.Count == 0 {
				t.Fatalf("got outcome %v with %d services, want one of %v", d.Outcome, d.Count, q.want)
			}
			if got := compiled(t, q.result).Service(d.Services[0]).Name; !slices.Contains(q.want, got) {
				t.Errorf("got %s, want one of %v", got, q.want)
			}
		})
	}
}
