package demo

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"fairlead/api/resource"
	"fairlead/gslb"
)

// busy is the load of the servers that are not to be chosen: far from idle, so that the few connections of probes and of
// this test do not matter.
const busy = 500

// samples is how many questions show that something does not happen.
const samples = 8

// loads checks that the idle server is found at both sites, whether its load is read or pushed.
func (t *selfTest) loads(ctx context.Context) {
	t.idleIsChosen(ctx, "ams-1", "whose load is read")
	t.idleIsChosen(ctx, "nyc-3", "whose load is pushed")
}

// idleIsChosen makes one server idle and all others busy, and waits for the answers to follow.
func (t *selfTest) idleIsChosen(ctx context.Context, idle, note string) {
	for _, s := range t.servers {
		s.Simulate(busy)
	}
	t.server(idle).Simulate(0)
	t.awaitEverywhere(ctx, fmt.Sprintf("the load of %s, %s, is known", idle, note), loadLimit, func(at *site) bool {
		return t.knowsIdle(ctx, at, idle)
	})
	t.onlyAnswer(ctx, "api", idle)
}

// knowsIdle says whether a site was told that one server is idle and all others are busy.
func (t *selfTest) knowsIdle(ctx context.Context, at *site, idle string) bool {
	var list resource.ServiceList
	if err := t.fetchAPI(ctx, at, "/v1/status/services", nil, &list); err != nil || len(list.Services) != len(t.servers) {
		return false
	}
	for _, s := range list.Services {
		if s.Load == nil || (s.Load.Active < busy) != (s.Name == idle) {
			return false
		}
	}
	return true
}

// onlyAnswer checks that a name has one server, time and again, at both sites.
func (t *selfTest) onlyAnswer(ctx context.Context, name, want string) {
	t.everywhere(func(at *site) {
		got := map[string]int{}
		for i := range samples {
			got[t.ask(ctx, at, question{Name: name, TCP: i%2 == 1}).first()]++
		}
		if !t.equal(fmt.Sprintf("%s is %s, at %s", name, want, at.Name), counts(got), fmt.Sprintf("%s %d", want, samples)) {
			t.note("that site compared: " + t.compared(ctx, at, name))
		}
	})
}

// compared is what a site's method compares for a name, as explain tells.
func (t *selfTest) compared(ctx context.Context, at *site, name string) string {
	var why resource.Explanation
	if err := t.fetchAPI(ctx, at, "/v1/explain", url.Values{"name": {name + ".demo.test"}}, &why); err != nil {
		return err.Error()
	}
	var out []string
	for _, e := range why.Trace.Entries {
		if e.Step == gslb.StepMethod {
			out = append(out, e.Detail)
			for _, c := range e.Candidates {
				out = append(out, c.Service+" "+c.Detail)
			}
		}
	}
	return strings.Join(out, "; ")
}

// never checks that a server is not in the answers of a name at either site.
func (t *selfTest) never(ctx context.Context, q question, server string) {
	t.everywhere(func(at *site) {
		want := fmt.Sprintf("in %d answers", samples)
		got := want
		for i := range samples {
			q.TCP = i%2 == 1
			a := t.ask(ctx, at, q)
			if all := strings.Join(a.Servers, " "); all == "" || strings.Contains(all, server) {
				got = a.Rcode + " " + all
			}
		}
		t.equal(fmt.Sprintf("%s without %s, at %s", q.Name, server, at.Name), got, want)
	})
}

// believe waits until both sites believe something of a service.
func (t *selfTest) believe(service string, state gslb.State) func(at *site) bool {
	return func(at *site) bool { return at.believed().States[service] == state }
}

// serverFailed checks that answers leave a server that failed, and only that.
func (t *selfTest) serverFailed(ctx context.Context) {
	t.awaitEverywhere(ctx, "dr leaves "+failing+" for nyc when it fails", failureLimit, func(at *site) bool {
		return t.ask(ctx, at, question{Name: "dr"}).first() == "nyc-2"
	})
	t.never(ctx, question{Name: "all"}, failing)
	t.never(ctx, question{Name: "www", Subnet: "192.0.2.0/24"}, failing)
	t.proximity(ctx, " while "+failing+" is DOWN")
	t.hashKeeps(t.sameHash(ctx, " while "+failing+" is DOWN"))
}

// hashKeeps checks that the clients of the server that failed moved to another one, and nobody else did.
func (t *selfTest) hashKeeps(now []string) {
	var moved, failed []string
	for i, before := range t.hashBefore {
		client := fmt.Sprintf("client %d", i)
		if before == failing {
			failed = append(failed, client)
		}
		if now[i] != before {
			moved = append(moved, client)
		}
	}
	t.equal("hash moves the clients of "+failing+" only", strings.Join(moved, ", "), strings.Join(failed, ", "))
}

// linkCut checks that both sites go on being right without each other.
func (t *selfTest) linkCut(ctx context.Context) {
	const other = "nyc-1"
	t.Fail(other)
	t.awaitEverywhere(ctx, "the cut is noticed", silenceLimit, func(at *site) bool { return !at.believed().Session })
	t.awaitEverywhere(ctx, "a failure is seen while the link is cut", failureLimit, t.believe(other, gslb.Down))
	t.never(ctx, question{Name: "www", Subnet: playedClient}, other)
	t.Heal(other)
	t.awaitEverywhere(ctx, "a recovery is seen while the link is cut", recoveryLimit, t.believe(other, gslb.Up))
	t.stillRight(ctx, " while the link is cut")
	ams := t.sites[0]
	t.holds("the loads of nyc age, at ams", await(ctx, loadFresh+loadLimit, func() bool { return t.loadBasis(ctx, ams, "nyc-3") == string(gslb.ReasonLoadAged) }),
		t.loadBasis(ctx, ams, "nyc-3"), string(gslb.ReasonLoadAged))
	t.equal("its own loads do not, at ams", t.loadBasis(ctx, ams, "ams-1"), string(gslb.ReasonLoadMeasured))
	t.onlyAnswer(ctx, "api", "nyc-3")
}

// stillRight checks, quickly, that every service but the one that failed is UP, and that names answer as they did.
func (t *selfTest) stillRight(ctx context.Context, when string) {
	t.everywhere(func(at *site) {
		b := at.believed()
		t.equal("services UP"+when+", at "+at.Name, fmt.Sprint(b.up(t.document, "")), fmt.Sprint(len(t.servers)-1))
	})
	t.proximity(ctx, when)
	t.sameHash(ctx, when)
	t.onlyAnswer(ctx, "dr", "nyc-2")
}

// loadBasis is what explain makes of the load of a service when it decides on api.demo.test: measured, or aged.
func (t *selfTest) loadBasis(ctx context.Context, at *site, service string) string {
	var why resource.Explanation
	if err := t.fetchAPI(ctx, at, "/v1/explain", url.Values{"name": {"api.demo.test"}}, &why); err != nil {
		return err.Error()
	}
	for _, e := range why.Trace.Entries {
		for _, c := range e.Candidates {
			if e.Step == gslb.StepMethod && c.Service == service {
				basis, _, _ := strings.Cut(c.Detail, ":")
				return basis
			}
		}
	}
	return "not among the candidates"
}

// healed checks that everything is as it was.
func (t *selfTest) healed(ctx context.Context) {
	t.awaitEverywhere(ctx, "the session is back", reconnectLimit, func(at *site) bool { return at.believed().Session })
	t.awaitEverywhere(ctx, "all services are UP again", recoveryLimit, func(at *site) bool {
		return at.believed().up(t.document, "") == len(t.servers)
	})
	t.onlyAnswer(ctx, "dr", failing)
	t.idleIsChosen(ctx, failing, "now that loads are exchanged again")
	t.equal("hash is as it was before", strings.Join(t.sameHash(ctx, " when all is well again"), " "), strings.Join(t.hashBefore, " "))
}

// siteLeaves checks that a planned stop is announced, and that the other site answers for both.
func (t *selfTest) siteLeaves(ctx context.Context) {
	ams, nyc := t.sites[0], t.sites[1]
	limited, cancel := context.WithTimeout(ctx, leaveLimit)
	defer cancel()
	nyc.leave(limited)
	t.holds("nyc stops when it is told to", limited.Err() == nil, "it runs", "within "+leaveLimit.String())
	t.holds("ams hears that nyc leaves", await(ctx, leaveLimit, func() bool { b := ams.believed(); return b.Left && !b.Session }),
		t.describe(), "within "+leaveLimit.String())
	a := t.ask(ctx, ams, question{Name: "www", Subnet: playedClient})
	t.equal("ams still sends New York to nyc's web servers", t.sitesOf(a.Servers), siteNyc)
	gone := t.ask(ctx, nyc, question{Name: "www"})
	t.holds("nyc answers no more", gone.Rcode != "NOERROR", gone.Rcode, "no reply")
}
