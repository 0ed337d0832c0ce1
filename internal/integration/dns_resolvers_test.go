//go:build integration

package integration

import (
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"fairlead/api/resource"
)

// treeResolver is a resolver of the lab. It knows the root's hints and nothing else.
type treeResolver struct {
	program string
	args    []string
	address string   // where it is asked
	asks    []string // the addresses it asks from
	subnet  bool     // it tells the client's network
	cookies bool     // it sends cookies back
}

var treeResolvers = []treeResolver{
	{"unbound", []string{"-d", "-c", "unbound.conf"}, "203.0.113.53", []string{"203.0.113.53", "2001:db8:c::53"}, true, false},
	{"pdns_recursor", []string{"--config-dir=."}, "203.0.113.54", []string{"203.0.113.54"}, true, false},
	{"named", []string{"-g", "-c", "named.conf"}, "203.0.113.153", []string{"203.0.113.153", "2001:db8:c::153"}, false, true},
}

// resolvers has resolvers find the zone from the root. Then a node falls silent, and is killed.
func (l *lab) resolvers(nyc *process) {
	var running []treeResolver
	for _, r := range treeResolvers {
		if _, err := exec.LookPath(r.program); err == nil {
			running = append(running, r)
			l.start("isp", "", r.program, r.args...)
		}
	}
	for _, r := range treeResolvers {
		l.t.Run(r.program, func(t *testing.T) {
			needs(t, r.program)
			l := l.with(t)
			proved := l.proved()
			eventually(t, 15*time.Second, r.program+" resolves", func() error {
				_, err := l.resolve(r, german, "ns1", "A")
				return err
			})
			t.Run("answers", func(t *testing.T) { l.with(t).resolved(r) })
			t.Run("both members are answered", func(t *testing.T) { l.with(t).balancedThrough(r) })
			t.Run("client subnet", func(t *testing.T) { l.with(t).subnets(r) })
			t.Run("negative answers are kept", func(t *testing.T) { l.with(t).negative(r) })
			t.Run("large answers come over TCP", func(t *testing.T) { l.with(t).large(r) })
			if got := l.proved() - proved; r.cookies != (got > 0) {
				t.Errorf("the nodes got %v valid cookies of %s; it sends cookies: %v", got, r.program, r.cookies)
			}
		})
	}
	for _, stage := range []struct {
		name   string
		signal syscall.Signal
	}{{"a node is silent", syscall.SIGSTOP}, {"a node is killed", syscall.SIGKILL}} {
		nyc.signal(l.t, stage.signal)
		l.t.Run(stage.name, func(t *testing.T) {
			for _, r := range running {
				t.Run(r.program, func(t *testing.T) { l.with(t).withoutOne(r, stage.signal.String()) })
			}
		})
	}
	l.t.Run("the killed site is answered no more", func(t *testing.T) {
		l := l.with(t)
		eventually(t, 20*time.Second, "Amsterdam notices", func() error { return l.peer("ams", resource.PeerDown, resource.PeerConnecting) })
		for _, r := range running {
			eventually(t, 15*time.Second, r.program+" hears of it", func() error {
				return l.resolvesTo(r, canadian, "near", "A", webAMS)
			})
			throughout(t, 3*time.Second, r.program+" stays with it", func() error { return l.resolvesTo(r, german, "www", "A", webAMS) })
		}
	})
}

// proved is how many queries came with a valid cookie, at both nodes.
func (l *lab) proved() float64 {
	l.t.Helper()
	const valid = `fairlead_dns_cookies_total{kind="valid"}`
	return l.metric("ams", valid) + l.metric("nyc", valid)
}

var (
	digStatus = regexp.MustCompile(`status: ([A-Z]+),`)
	digAnswer = regexp.MustCompile(`(?m)^[^;\s]\S*\s+(\d+)\s+IN\s+(\S+)\s+(.*)$`)
)

// resolve asks a resolver for a name of the zone, and returns the data of the answer, in the order of its text. It asks again
// as users do: some resolvers drop an answer that took them long, and keep it for the next query.
func (l *lab) resolve(r treeResolver, client, name, qtype string) ([]string, error) {
	out, err := l.tryIn(wan, "dig", "-b", client, "@"+r.address, name+"."+zoneName, qtype, "+noall", "+comments", "+answer", "+tries=3", "+time=3")
	if err != nil {
		return nil, fmt.Errorf("dig: %w: %s", err, out)
	}
	status := digStatus.FindStringSubmatch(out)
	if status == nil || status[1] != "NOERROR" {
		return nil, fmt.Errorf("%v in\n%s", status, out)
	}
	got := []string{}
	for _, m := range digAnswer.FindAllStringSubmatch(out, -1) {
		got = append(got, m[3])
	}
	slices.Sort(got)
	return got, nil
}

func (l *lab) resolvesTo(r treeResolver, client, name, qtype, want string) error {
	got, err := l.resolve(r, client, name, qtype)
	if err == nil && strings.Join(got, " ") != want {
		err = fmt.Errorf("%s %s through %s: got %q, want %q", name, qtype, r.program, got, want)
	}
	return err
}

// resolved looks at names that are unlike each other in how they are found.
func (l *lab) resolved(r treeResolver) {
	for _, c := range []struct{ name, qtype, want string }{
		{"text", "TXT", `"served by every site"`},
		{"a.b.c", "TXT", `"three labels below the zone"`},
		{"b.c", "TXT", ""},
		{"c", "A", ""},
		{"any.thing.wild", "A", "192.0.2.82"},
		{"www", "MX", ""},
		{"out", "A", "203.0.113.90 web.example.net."},
		{"away", "A", "203.0.113.90 web.example.net."},
		{"away", "AAAA", "web.example.net."},
		{"a.old", "A", "192.0.2.81 a.new.gslb.example.com. new.gslb.example.com."},
		{"host.below", "A", "203.0.113.91"},
		{"svc", "HTTPS", `1 . alpn="h2" ipv4hint=192.0.2.83`},
		{"ns2", "AAAA", "2001:db8:b::53"},
	} {
		if err := l.resolvesTo(r, german, c.name, c.qtype, c.want); err != nil {
			l.t.Error(err)
		}
	}
	got, err := l.resolve(r, german, "alias", "AAAA")
	if err != nil || len(got) != 2 || !strings.HasPrefix(got[0], "2001:db8:") || got[1] != "www."+zoneName+"." {
		l.t.Errorf("alias AAAA: got %q, %v, want an address and the alias", got, err)
	}
}

// balancedThrough asks until both members were answered: the resolver asks again when the second of an answer is over.
func (l *lab) balancedThrough(r treeResolver) {
	for qtype, wanted := range map[string][]string{"A": {webAMS, webNYC}, "AAAA": {"2001:db8:a::80", "2001:db8:b::80"}} {
		seen := map[string]bool{}
		eventually(l.t, 40*time.Second, r.program+" has answered both for "+qtype, func() error {
			got, err := l.resolve(r, german, "www", qtype)
			if err != nil || len(got) != 1 || !slices.Contains(wanted, got[0]) {
				l.t.Fatalf("www %s: got %q, %v, want one of %v", qtype, got, err, wanted)
			}
			seen[got[0]] = true
			if len(seen) < len(wanted) {
				return fmt.Errorf("seen %v of %v", seen, wanted)
			}
			return nil
		})
	}
}

// subnets asks as three clients, two of which are in one network. A resolver that tells networks gets an answer for each,
// and asks once for each network; of another the node sees only the address.
func (l *lab) subnets(r treeResolver) {
	want := map[string]string{german: webAMS, neighbour: webAMS, canadian: webNYC}
	if !r.subnet {
		want = map[string]string{german: webNYC, neighbour: webNYC, canadian: webNYC} // it is near New York itself
	}
	for client, address := range want {
		for _, c := range []struct{ name, qtype, want string }{{"near", "A", address}, {"text", "TXT", `"served by every site"`}} {
			if err := l.resolvesTo(r, client, c.name, c.qtype, c.want); err != nil {
				l.t.Errorf("for %s: %v", client, err)
			}
		}
	}
	asked := l.asked(r)
	told := 0
	for _, q := range asked {
		if q.Scope == nil {
			continue
		}
		told++
		if (*q.Scope != 0) != strings.HasPrefix(q.Name, "near.") {
			l.t.Errorf("the scope of %s %s is %d", q.Name, q.Type, *q.Scope)
		}
	}
	if r.subnet != (told > 0) {
		l.t.Errorf("%d of the %d answers to %s have a scope; it sends subnets: %v", told, len(asked), r.program, r.subnet)
	}
	if got := count(asked, "near", "A"); r.subnet && got != 2 {
		l.t.Errorf("%s asked %d times for the balanced name, want once for each of two networks", r.program, got)
	}
	if got := count(asked, "text", "TXT"); got != 1 {
		l.t.Errorf("%s asked %d times for a name that is the same for all, want once", r.program, got)
	}
}

// asked returns what the nodes were asked by a resolver.
func (l *lab) asked(r treeResolver) []logged {
	l.t.Helper()
	return slices.DeleteFunc(l.queries(), func(q logged) bool { return !slices.Contains(r.asks, q.Client) })
}

// count is how often a question was asked.
func count(asked []logged, name, qtype string) int {
	n := 0
	for _, q := range asked {
		if q.Name == name+"."+zoneName+"." && q.Type == qtype {
			n++
		}
	}
	return n
}

// negative asks twice for what is not there: the resolver must not ask again.
func (l *lab) negative(r treeResolver) {
	missing := []struct{ name, qtype, status string }{{"nowhere", "A", "NXDOMAIN"}, {"www", "MX", "NOERROR"}, {"lost", "A", "NXDOMAIN"}}
	var asked [2][]logged
	for i := range asked {
		for _, c := range missing {
			out := l.in(wan, "dig", "-b", german, "@"+r.address, c.name+"."+zoneName, c.qtype, "+tries=1", "+time=8")
			if status := digStatus.FindStringSubmatch(out); status == nil || status[1] != c.status || !strings.Contains(out, "AUTHORITY: 1,") {
				l.t.Errorf("%s %s through %s: want %s with the SOA in\n%s", c.name, c.qtype, r.program, c.status, out)
			}
		}
		asked[i] = l.asked(r)
	}
	for _, c := range missing {
		if once, twice := count(asked[0], c.name, c.qtype), count(asked[1], c.name, c.qtype); once == 0 || twice != once {
			l.t.Errorf("%s asked for %s %s %d times after one query and %d times after two", r.program, c.name, c.qtype, once, twice)
		}
	}
}

func (l *lab) large(r treeResolver) {
	got, err := l.resolve(r, german, "big", "TXT")
	if err != nil || len(got) != 20 {
		l.t.Errorf("got %d records, %v, want 20", len(got), err)
	}
	transports := map[string]int{}
	for _, q := range l.asked(r) {
		if q.Name == "big."+zoneName+"." && q.Type == "TXT" {
			transports[q.Transport]++
		}
	}
	if transports["udp"] == 0 || transports["tcp"] == 0 {
		l.t.Errorf("the node was asked over %v, want UDP and then TCP", transports)
	}
}

// withoutOne asks for names that the resolver cannot know yet.
func (l *lab) withoutOne(r treeResolver, stage string) {
	slowest := time.Duration(0)
	for i := range 6 {
		start := time.Now()
		if err := l.resolvesTo(r, german, fmt.Sprintf("fresh-%d-%s.wild", i, strings.Fields(stage)[0]), "A", "192.0.2.82"); err != nil {
			l.t.Error(err)
		}
		slowest = max(slowest, time.Since(start))
	}
	l.t.Logf("%s: the slowest of 6 answers took %v", r.program, slowest.Round(time.Millisecond))
}
