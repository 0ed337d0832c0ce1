package api

import (
	"net/http"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"fairlead/adns"
	"fairlead/api/resource"
	"fairlead/gslb"
)

// TestExplainIsWhatIsServed asks explain and then the server's own function, again and again: the second answers what the
// first said, and only the second moves the rotation.
func TestExplainIsWhatIsServed(t *testing.T) {
	tests := []struct{ name, qtype, client, subnet string }{
		{"www.gslb.example.com", "A", "192.0.2.9", ""},
		{"WWW.gslb.example.com.", "AAAA", "2001:db8::9", ""},
		{"alias.gslb.example.com", "A", "192.0.2.9", ""},
		{"near.gslb.example.com", "A", "192.0.2.9", "203.0.113.0/24"},
		{"near.gslb.example.com", "A", "192.0.2.9", "0.0.0.0/0"},
		{"api.gslb.example.com", "A", "192.0.2.9", ""},
		{"text.gslb.example.com", "TXT", "192.0.2.9", ""},
		{"gslb.example.com", "SOA", "192.0.2.9", ""},
		{"nowhere.gslb.example.com", "A", "192.0.2.9", ""},
		{"www.gslb.example.com", "MX", "192.0.2.9", ""},
		{"www.elsewhere.test", "A", "192.0.2.9", ""},
		{"www.gslb.example.com", "AXFR", "192.0.2.9", ""},
		{"www.gslb.example.com", "TYPE65280", "192.0.2.9", ""},
	}
	for _, test := range tests {
		t.Run(test.name+" "+test.qtype+" "+test.subnet, func(t *testing.T) {
			f := newFixture(t, nil)
			values := url.Values{"name": {test.name}, "type": {test.qtype}, "client": {test.client}}
			question := adns.Question{Name: test.name, Class: dns.ClassINET, LDNS: netip.MustParseAddr(test.client)}
			if question.Type = dns.StringToType[test.qtype]; question.Type == 0 {
				question.Type = 65280
			}
			if test.subnet != "" {
				values.Set("subnet", test.subnet)
				question.Subnet = netip.MustParsePrefix(test.subnet)
			}
			for range 5 {
				explained := get[resource.Explanation](t, f, "/v1/explain?"+values.Encode())
				again := get[resource.Explanation](t, f, "/v1/explain?"+values.Encode())
				served := f.state.Snapshot.Resolve(question, time.Now(), nil)
				checkExplained(t, explained, served)
				checkExplained(t, again, served)
				if len(explained.Trace.Entries) == 0 || explained.Snapshot != 7 || explained.Document != f.state.DocumentID {
					t.Errorf("explanation is %+v", explained)
				}
			}
		})
	}
}

func checkExplained(t *testing.T, e resource.Explanation, served adns.Answer) {
	t.Helper()
	want := resource.Explanation{Rcode: dns.RcodeToString[served.Rcode], Authoritative: served.Authoritative, Answer: lines(served.Answer),
		Authority: lines(served.Authority), Additional: lines(served.Additional), Scope: served.Scope, TTL: leastTTL(served.Answer), EDE: extendedError(served.EDE)}
	got := resource.Explanation{Rcode: e.Rcode, Authoritative: e.Authoritative, Answer: e.Answer, Authority: e.Authority, Additional: e.Additional,
		Scope: e.Scope, TTL: e.TTL, EDE: e.EDE}
	if diff := cmp.Diff(want, got, sameAddress()); diff != "" {
		t.Errorf("explained (-served +explained):\n%s", diff)
	}
}

// TestExplainLearnsNothing counts what explanations may not: turns and answers handed out.
func TestExplainLearnsNothing(t *testing.T) {
	f := newFixture(t, nil)
	var answers []string
	for range 3 {
		answers = append(answers, get[resource.Explanation](t, f, "/v1/explain?name=www.gslb.example.com").Answer...)
	}
	want := []string{"www.gslb.example.com. 20 IN A 192.0.2.80", "www.gslb.example.com. 20 IN A 192.0.2.80", "www.gslb.example.com. 20 IN A 192.0.2.80"}
	if diff := cmp.Diff(want, answers); diff != "" {
		t.Errorf("three explanations (-want +got):\n%s", diff)
	}
	for i := range f.state.Snapshot.GSLB.Plan.Services() {
		if n := f.state.Snapshot.Learned.Handed(gslb.ServiceIndex(i)); n != 0 {
			t.Errorf("%d answers were counted for service %d", n, i)
		}
	}
}

func TestExplainAnswer(t *testing.T) {
	f := newFixture(t, nil)
	text := get[resource.Explanation](t, f, "/v1/explain?name=text.gslb.example.com&type=txt&client=192.0.2.9")
	if diff := cmp.Diff([]string{`text.gslb.example.com. 300 IN TXT "served by\009every site"`}, text.Answer); diff != "" {
		t.Errorf("TXT (-want +got):\n%s", diff)
	}
	refused := get[resource.Explanation](t, f, "/v1/explain?name=www.elsewhere.test&client=192.0.2.9")
	if refused.Rcode != "REFUSED" || refused.TTL != nil || refused.EDE == nil || refused.EDE.Code != dns.ExtendedErrorCodeNotAuthoritative || refused.EDE.Name != "Not Authoritative" {
		t.Errorf("refusal is %+v, EDE %+v", refused, refused.EDE)
	}
	hashed := get[resource.Explanation](t, f, "/v1/explain?name=near.gslb.example.com&client=192.0.2.9&subnet=203.0.113.77/24")
	if hashed.Scope != 24 || hashed.Question.Subnet != netip.MustParsePrefix("203.0.113.0/24") {
		t.Errorf("scope is %d for subnet %s", hashed.Scope, hashed.Question.Subnet)
	}
}

func TestExplainQuestion(t *testing.T) {
	tests := []struct {
		name, query string
		want        resource.Question
	}{
		{"defaults", "name=www.gslb.example.com", resource.Question{Name: "www.gslb.example.com.", Type: "A", Client: netip.MustParseAddr("127.0.0.1")}},
		{"mapped", "name=x.&client=::ffff:192.0.2.1", resource.Question{Name: "x.", Type: "A", Client: netip.MustParseAddr("192.0.2.1")}},
		{"type number", "name=x&type=type28&client=192.0.2.1", resource.Question{Name: "x.", Type: "AAAA", Client: netip.MustParseAddr("192.0.2.1")}},
		{"root", "name=.&type=ns&client=192.0.2.1", resource.Question{Name: ".", Type: "NS", Client: netip.MustParseAddr("192.0.2.1")}},
	}
	f := newFixture(t, nil)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := get[resource.Explanation](t, f, "/v1/explain?"+test.query).Question; got != test.want {
				t.Errorf("question is %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestExplainRefusals(t *testing.T) {
	long := "name=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example.com"
	tests := []struct {
		query string
		want  []string
	}{
		{"", []string{"/query/name required"}},
		{long, []string{"/query/name invalid"}},
		{"name=a..b", []string{"/query/name invalid"}},
		{"name=x&type=nope", []string{"/query/type invalid"}},
		{"name=x&type=TYPE65536", []string{"/query/type invalid"}},
		{"name=x&client=example.com", []string{"/query/client invalid"}},
		{"name=x&client=fe80::1%25eth0", []string{"/query/client invalid"}},
		{"name=x&client=192.0.2.0/24", []string{"/query/client invalid"}},
		{"name=x&subnet=192.0.2.1", []string{"/query/subnet invalid"}},
		{"name=x&subnet=192.0.2.0/33", []string{"/query/subnet invalid"}},
		{"name=x&ecs=192.0.2.0/24", []string{"/query/ecs unknown"}},
		{"type=zz&client=1&subnet=2&z=1&y=2", []string{"/query/name required", "/query/y unknown", "/query/z unknown", "/query/type invalid",
			"/query/client invalid", "/query/subnet invalid"}},
	}
	f := newFixture(t, nil)
	for _, test := range tests {
		t.Run(test.query, func(t *testing.T) {
			w := f.request(http.MethodGet, "/v1/explain?"+test.query, "")
			if w.Code != http.StatusUnprocessableEntity {
				t.Fatalf("status %d: %s", w.Code, w.Body)
			}
			if diff := cmp.Diff(test.want, places(refusal(t, w))); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}
