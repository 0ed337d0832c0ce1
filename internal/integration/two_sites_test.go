//go:build integration

package integration

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"fairlead/api/resource"
)

const (
	resolver = "203.0.113.53"
	webAMS   = "192.0.2.80"
	webNYC   = "198.51.100.80"
	german   = "203.0.113.10"  // a client near Amsterdam
	canadian = "203.0.113.200" // a client near New York

	// fall × interval of the example's monitor, and what is allowed on top.
	failover = 3*2*time.Second + 2*time.Second
)

// twoSites is where the example's two sites and their users are.
var twoSites = []place{
	{wan, []string{"203.0.113.53/24", "203.0.113.10/24", "203.0.113.200/24", "2001:db8:c::53/64"}},
	{"ams", []string{"192.0.2.10/24", "192.0.2.53/24", "192.0.2.80/24", "2001:db8:a::80/64"}},
	{"nyc", []string{"198.51.100.10/24", "198.51.100.53/24", "198.51.100.80/24", "198.51.100.99/24", "2001:db8:b::80/64"}},
}

// TestTwoSites runs the example's files as an operator would: two sites, a resolver with the subzone delegated to both,
// nginx behind them. It takes a back-end away, then one site's process, and looks at what the resolver's users get.
func TestTwoSites(t *testing.T) {
	t.Parallel()
	l := newLab(t, filepath.Join("..", "..", "examples", "two-sites"), twoSites, "unbound", "nginx", "dig", "curl")
	for _, args := range [][]string{{"pki", "init"}, {"pki", "issue", "ams"}, {"pki", "issue", "nyc"}, {"check", "node-ams.yaml", "node-nyc.yaml"}} {
		t.Logf("fairlead %s\n%s", strings.Join(args, " "), l.run(l.binary, args...))
	}
	backend := map[string]*process{"ams": l.nginx("ams"), "nyc": l.nginx("nyc")}
	site := map[string]*process{}
	for _, name := range []string{"ams", "nyc"} {
		site[name] = l.start(name, "", l.binary, "serve", "-f", "node-"+name+".yaml")
	}
	l.start(wan, "", "unbound", "-d", "-c", "unbound.conf")

	t.Run("both sites come up", func(t *testing.T) {
		for _, name := range []string{"ams", "nyc"} {
			eventually(t, 15*time.Second, name+" sees all services up", func() error { return l.services(name, "UP", "web-ams", "web-nyc", "sorry-nyc") })
			eventually(t, 15*time.Second, name+" hears the other site", func() error { return l.peer(name, resource.PeerUp) })
		}
		eventually(t, 15*time.Second, "the resolver answers", func() error { return l.answers(german, "www", "A", webAMS, webNYC) })
		for _, name := range []string{"ams", "nyc"} {
			t.Logf("fairlead status, at %s\n%s", name, l.in(name, l.binary, "status"))
		}
	})
	t.Run("the resolver's users are steered", func(t *testing.T) { l.steering(t) })
	t.Run("answers follow the load", func(t *testing.T) { l.followsLoad(t) })
	t.Run("answers can be fetched", func(t *testing.T) { l.fetch(t) })
	t.Run("a back-end stops", func(t *testing.T) { l.backendStops(t, backend) })
	t.Run("a site's process is paused", func(t *testing.T) { l.sitePaused(t, site["nyc"]) })
	t.Run("a site leaves", func(t *testing.T) { l.siteLeaves(t, site["nyc"]) })
}

// nginx starts a back-end of a site, in a directory of its own.
func (l *lab) nginx(ns string) *process {
	l.t.Helper()
	conf := strings.TrimSpace(l.run("realpath", "nginx.conf"))
	dir := l.dir + "/nginx-" + ns
	return l.start(ns, "nginx-"+ns, "nginx", "-p", dir, "-c", conf)
}

// dig asks the resolver from a client's address and returns the addresses and names in the answer.
func (l *lab) dig(client, name, qtype string) ([]string, error) {
	out, err := l.tryIn(wan, "dig", "-b", client, "@"+resolver, name+".gslb.example.com", qtype, "+short", "+tries=1", "+time=4")
	if err != nil {
		return nil, fmt.Errorf("dig: %w: %s", err, out)
	}
	return strings.Fields(out), nil
}

// answers checks that one answer is one of those wanted.
func (l *lab) answers(client, name, qtype string, wanted ...string) error {
	got, err := l.dig(client, name, qtype)
	if err == nil && (len(got) != 1 || !slices.Contains(wanted, got[0])) {
		err = fmt.Errorf("%s %s for %s: got %v, want one of %v", name, qtype, client, got, wanted)
	}
	return err
}

// services checks a state of some services, as a site's API tells it.
func (l *lab) services(ns, state string, names ...string) error {
	var list resource.ServiceList
	if err := l.status(ns, "services", &list); err != nil {
		return err
	}
	seen := 0
	for _, s := range list.Services {
		if !slices.Contains(names, s.Name) {
			continue
		}
		seen++
		if s.State != state {
			return fmt.Errorf("at %s, %s is %s (%s), want %s", ns, s.Name, s.State, s.Reason, state)
		}
	}
	if seen != len(names) {
		return fmt.Errorf("at %s, status names %d of %v", ns, seen, names)
	}
	return nil
}

// busy checks that a site knows of so many connections of a service.
func (l *lab) busy(ns, service string, connections uint64) error {
	var list resource.ServiceList
	if err := l.status(ns, "services", &list); err != nil {
		return err
	}
	for _, s := range list.Services {
		if s.Name == service && s.Load != nil && s.Load.Active >= connections {
			return nil
		}
	}
	return fmt.Errorf("%s does not know of %d connections of %s", ns, connections, service)
}

// peer checks that the session with the other site is in one of some states.
func (l *lab) peer(ns string, states ...string) error {
	var list resource.SiteList
	if err := l.status(ns, "sites", &list); err != nil {
		return err
	}
	others := 0
	for _, s := range list.Sites {
		if s.Name == ns {
			continue
		}
		others++
		if !slices.Contains(states, s.Peer) {
			return fmt.Errorf("at %s, the session with %s is %s (%s), want %v", ns, s.Name, s.Peer, s.LastError, states)
		}
	}
	if others != 1 {
		return fmt.Errorf("at %s, status names %d other sites, want 1", ns, others)
	}
	return nil
}

// status reads a list as the command prints it.
func (l *lab) status(ns, what string, into any) error {
	out, err := l.tryIn(ns, l.binary, "status", what, "-o", "json")
	if err != nil {
		return fmt.Errorf("status: %w: %s", err, out)
	}
	if err := json.Unmarshal([]byte(out), into); err != nil {
		return fmt.Errorf("%w in %s", err, out)
	}
	return nil
}

func (l *lab) steering(t *testing.T) {
	for _, tt := range []struct{ client, name, qtype, want string }{
		{german, "near", "A", webAMS},
		{canadian, "near", "A", webNYC},
		{german, "near", "AAAA", "2001:db8:a::80"},
		{canadian, "near", "AAAA", "2001:db8:b::80"},
		{canadian, "dr", "A", webAMS},
		{german, "text", "TXT", `"served by every site"`},
	} {
		got, err := l.dig(tt.client, tt.name, tt.qtype)
		if err != nil || strings.Join(got, " ") != tt.want {
			t.Errorf("%s %s for %s: got %v %v, want %q", tt.name, tt.qtype, tt.client, got, err, tt.want)
		}
	}
	// dig +short prints nothing for a failure too, so that these need the whole reply.
	for question, status := range map[string]string{"www MX": "NOERROR", "nowhere A": "NXDOMAIN"} {
		name, qtype, _ := strings.Cut(question, " ")
		out := l.in(wan, "dig", "-b", german, "@"+resolver, name+".gslb.example.com", qtype, "+tries=1", "+time=4")
		if !strings.Contains(out, "status: "+status+",") || !strings.Contains(out, "ANSWER: 0, AUTHORITY: 1,") {
			t.Errorf("%s: got\n%s\nwant %s and the zone's SOA", question, out, status)
		}
	}
	if got, err := l.dig(german, "alias", "A"); err != nil || len(got) != 2 || got[0] != "www.gslb.example.com." {
		t.Errorf("alias: got %v %v, want the CNAME and an address", got, err)
	}
	for _, server := range []string{"192.0.2.53", "198.51.100.53"} {
		t.Logf("dig at %s, told the client's subnet\n%s", server, l.in(wan, "dig", "@"+server, "near.gslb.example.com", "+subnet=203.0.113.200/32", "+nsid", "+norecurse"))
	}
	t.Logf("fairlead explain\n%s", l.in("ams", l.binary, "explain", "near.gslb.example.com", "--subnet", "203.0.113.200/32"))
}

// followsLoad holds connections to one back-end, then more to the other. nginx counts them, each site reads its own count
// and tells the other, and both steer new clients to where there are fewer.
func (l *lab) followsLoad(t *testing.T) {
	hold := func(address string, connections uint64) *process {
		return l.start(wan, "", "bash", "-c", fmt.Sprintf("for i in $(seq %d); do exec {fd}<>/dev/tcp/%s/80; done; exec sleep 60", connections, address))
	}
	// The resolver keeps an answer for the second it came in, besides the second that a report may be old, twice.
	const settle = 5 * time.Second
	for _, step := range []struct {
		service, busy string
		connections   uint64
		want          string
	}{{"web-ams", webAMS, 30, webNYC}, {"web-nyc", webNYC, 60, webAMS}} {
		held := hold(step.busy, step.connections)
		defer held.signal(t, syscall.SIGTERM)
		eventually(t, settle, "both sites know how busy "+step.service+" is", func() error {
			return cmp.Or(l.busy("ams", step.service, step.connections), l.busy("nyc", step.service, step.connections))
		})
		eventually(t, settle, "clients are led away from "+step.busy, func() error { return l.answers(german, "www", "A", step.want) })
		throughout(t, 2*time.Second, "and stay away", func() error { return l.answers(german, "www", "A", step.want) })
	}
	t.Logf("fairlead explain\n%s", l.in("nyc", l.binary, "explain", "www.gslb.example.com"))
}

func (l *lab) fetch(t *testing.T) {
	for _, client := range []string{german, canadian} {
		got, err := l.dig(client, "near", "A")
		if err != nil || len(got) != 1 {
			t.Fatalf("near: %v %v", got, err)
		}
		out := l.in(wan, "curl", "-sS", "--max-time", "3", "http://"+got[0]+"/")
		if want := "served by " + got[0]; strings.TrimSpace(out) != want {
			t.Errorf("fetched %q, want %q", out, want)
		}
	}
}

// backendStops stops Amsterdam's nginx and starts it again. Every query on the way must get an answer.
func (l *lab) backendStops(t *testing.T, backend map[string]*process) {
	start := time.Now()
	backend["ams"].signal(t, syscall.SIGTERM)
	backend["ams"].exited(t, 5*time.Second)
	last := time.Duration(0)
	throughout(t, failover+2*time.Second, "there always is an answer", func() error {
		got, err := l.dig(german, "dr", "A")
		if err == nil && (len(got) != 1 || got[0] != webAMS && got[0] != webNYC) {
			err = fmt.Errorf("got %v", got)
		}
		if err == nil && got[0] == webAMS {
			last = time.Since(start)
		}
		return err
	})
	t.Logf("the stopped back-end was named for the last time after %.1f s; allowed are %v", last.Seconds(), failover)
	if last == 0 || last > failover {
		t.Errorf("answers moved after %v, want some time within %v", last, failover)
	}
	for _, name := range []string{"near", "dr", "www"} {
		if err := l.answers(german, name, "A", webNYC); err != nil {
			t.Error(err)
		}
	}
	t.Logf("fairlead explain, Amsterdam's back-end being down\n%s", l.in("nyc", l.binary, "explain", "dr.gslb.example.com", "--client", german))
	backend["ams"] = l.nginx("ams")
	eventually(t, 15*time.Second, "both sites believe that Amsterdam is up", func() error {
		return cmp.Or(l.services("ams", "UP", "web-ams"), l.services("nyc", "UP", "web-ams"))
	})
	// The resolver keeps an answer for the second it came in.
	eventually(t, 5*time.Second, "Amsterdam is answered again", func() error {
		return cmp.Or(l.answers(german, "dr", "A", webAMS), l.answers(german, "near", "A", webAMS))
	})
}

// sitePaused stops New York's process without a word: its DNS does not answer and its exchange is silent, while its
// back-end works. Monitors still see the back-end, so answers stay what they were.
func (l *lab) sitePaused(t *testing.T, nyc *process) {
	right := func() error {
		for _, tt := range []struct{ client, name, want string }{{german, "near", webAMS}, {canadian, "near", webNYC}, {german, "dr", webAMS}} {
			if err := l.answers(tt.client, tt.name, "A", tt.want); err != nil {
				return err
			}
		}
		return l.answers(german, "www", "A", webAMS, webNYC)
	}
	nyc.signal(t, syscall.SIGSTOP)
	eventually(t, 14*time.Second, "Amsterdam notices the silence", func() error {
		if err := right(); err != nil {
			t.Fatalf("while the exchange times out: %v", err)
		}
		return l.peer("ams", resource.PeerDown, resource.PeerConnecting)
	})
	throughout(t, 5*time.Second, "answers stay right without the exchange", right)
	if err := l.services("ams", "UP", "web-ams", "web-nyc"); err != nil {
		t.Errorf("a lost session changed what a monitor supports: %v", err)
	}
	if err := l.services("ams", "DOWN", "sorry-nyc"); err != nil {
		t.Errorf("nobody can speak for a service without a monitor: %v", err)
	}
	t.Logf("fairlead status at ams, New York being paused\n%s", l.in("ams", l.binary, "status"))
	nyc.signal(t, syscall.SIGCONT)
	eventually(t, 10*time.Second, "the session is back", func() error { return l.peer("ams", resource.PeerUp) })
	eventually(t, 5*time.Second, "New York speaks for its services again", func() error { return l.services("ams", "UP", "sorry-nyc") })
	throughout(t, time.Second, "answers are right afterwards", right)
}

// siteLeaves stops New York as planned: Amsterdam knows at once, and New York answers until it is drained.
func (l *lab) siteLeaves(t *testing.T, nyc *process) {
	nyc.signal(t, syscall.SIGTERM)
	eventually(t, time.Second, "Amsterdam was told", func() error { return l.peer("ams", resource.PeerLeft) })
	throughout(t, 2*time.Second, "New York answers while it drains", func() error {
		out, err := l.tryIn(wan, "dig", "@198.51.100.53", "near.gslb.example.com", "+short", "+subnet=203.0.113.200/32", "+tries=1", "+time=1")
		if err == nil && strings.TrimSpace(out) != webNYC {
			err = fmt.Errorf("got %q, want %s", out, webNYC)
		}
		return err
	})
	if code := nyc.exited(t, 10*time.Second); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	if err := l.answers(canadian, "near", "A", webNYC); err != nil {
		t.Errorf("after New York's process has gone its back-end is still the nearest: %v", err)
	}
}
