package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"fairlead/adns"
	"fairlead/api/resource"
	"fairlead/gslb"
	"fairlead/mep"
)

// TestExplainAtAnotherSite: the question reaches the other node as it was asked, and its answer comes back whole.
func TestExplainAtAnotherSite(t *testing.T) {
	there := newFixture(t, nil)
	here := newFixture(t, func(o *Options) {
		o.AskSite = func(_ context.Context, site string, body []byte) ([]byte, error) {
			if site != "nyc" {
				return nil, errors.New("ask site \"" + site + "\": there is no session with the site")
			}
			return AnswerExplain(there.state, "nyc", body)
		}
	})
	query := "/v1/explain?name=near.gslb.example.com&type=a&client=192.0.2.9&subnet=203.0.113.0/24&listener=192.0.2.53"
	want := get[resource.Explanation](t, there, query)
	got := get[resource.Explanation](t, here, query+"&at_site=nyc")
	if got.Site != "nyc" || want.Site != "ams" {
		t.Errorf("sites are %q and %q", got.Site, want.Site)
	}
	if diff := cmp.Diff(want.Question, got.Question, sameAddress()); diff != "" {
		t.Errorf("question (-asked there +asked from here):\n%s", diff)
	}
	if diff := cmp.Diff([]any{want.Answer, want.Scope, want.Document, len(want.Trace.Entries), len(want.Counterfactuals)},
		[]any{got.Answer, got.Scope, got.Document, len(got.Trace.Entries), len(got.Counterfactuals)}); diff != "" {
		t.Errorf("explanation (-there +from here):\n%s", diff)
	}
	for _, tt := range []struct {
		site, want string
		status     int
	}{
		{"tyo", "/query/at_site site-silent", http.StatusServiceUnavailable},
		{"atlantis", "/query/at_site no-such-site", http.StatusNotFound},
	} {
		w := here.request(http.MethodGet, query+"&at_site="+tt.site, "")
		if got := places(refusal(t, w)); w.Code != tt.status || !cmp.Equal(got, []string{tt.want}) {
			t.Errorf("%s: %d %q, want %d %s", tt.site, w.Code, got, tt.status, tt.want)
		}
	}
	if w := there.request(http.MethodGet, query+"&at_site=nyc", ""); w.Code != http.StatusServiceUnavailable {
		t.Errorf("without an exchange: %d %s", w.Code, w.Body)
	}
	if e := get[resource.Explanation](t, there, query+"&at_site=ams"); e.Site != "ams" {
		t.Errorf("this site itself: %q", e.Site)
	}
}

func TestAnswerExplainRefuses(t *testing.T) {
	f := newFixture(t, nil)
	for body, want := range map[string]string{
		"{": "read question", "{}": "has no name", `{"name": "x", "type": "A", "client": "everybody"}`: "not an IP address",
		`{"name": "x", "type": "NOPE", "client": "192.0.2.1"}`: "not a record type",
	} {
		if _, err := AnswerExplain(f.state, "ams", []byte(body)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", body, err, want)
		}
	}
	if _, err := AnswerExplain(nil, "ams", []byte("{}")); err == nil {
		t.Error("a node that serves nothing answers")
	}
}

// TestAnswerExplainFits: the greatest virtual servers, with the longest names, are explained in one answer, and it still says who was
// picked.
func TestAnswerExplainFits(t *testing.T) {
	const servers, each = 11, 512
	var doc strings.Builder
	site := strings.Repeat("s", 60)
	fmt.Fprintf(&doc, "zones: [{name: example.test, nameservers: [ns.example.test], records: 'ns 60 A 192.0.2.53'}]\nsites: [{name: %s, address: \"192.0.2.1:5353\"}]\nservices:\n", site)
	name := func(v, i int) string { return fmt.Sprintf("%s-%d-%d", strings.Repeat("m", 100), v, i) }
	for n := range servers * each {
		fmt.Fprintf(&doc, "  - {name: %s, site: %s, addresses: [10.0.%d.%d]}\n", name(n/each, n%each), site, n/250, n%250+1)
	}
	doc.WriteString("virtual_servers:\n")
	for v := range servers {
		fmt.Fprintf(&doc, "  - name: v%d\n    method: round-robin\n", v)
		if v == 0 {
			doc.WriteString("    domains: [{name: www.example.test}]\n")
		}
		if v < servers-1 {
			fmt.Fprintf(&doc, "    backup: v%d\n", v+1)
		}
		doc.WriteString("    members:\n")
		for i := range each {
			fmt.Fprintf(&doc, "      - {service: %s}\n", name(v, i))
		}
	}
	for _, alive := range []int{0, servers - 1} { // all of the first, or of the last virtual server of the chain
		st := newStateOf(t, doc.String(), func(plan *gslb.Plan, now time.Time) *gslb.Status {
			status := &gslb.Status{At: now, Services: make([]gslb.ServiceStatus, plan.Services())}
			for i := range status.Services {
				status.Services[i] = gslb.ServiceStatus{State: gslb.Down, Reason: strings.Repeat("r", 200), Source: "monitor", Seen: now}
			}
			for i := range each {
				at, _ := plan.ServiceByName(name(alive, i))
				status.Services[at].State = gslb.Up
			}
			return status
		})
		for range 400 {
			st.Snapshot.Resolve(adns.Question{Name: "www.example.test.", Type: dns.TypeA, Class: dns.ClassINET, LDNS: netip.MustParseAddr("192.0.2.9")}, time.Now(), nil)
		}
		text, err := AnswerExplain(st, "ams", []byte(`{"name": "www.example.test", "type": "A", "client": "192.0.2.9"}`))
		if err != nil || len(text) > mep.MaxAsk {
			t.Fatalf("%d bytes, %v", len(text), err)
		}
		var e resource.Explanation
		if err := json.Unmarshal(text, &e); err != nil {
			t.Fatal(err)
		}
		picked := slices.ContainsFunc(e.Trace.Entries, func(step gslb.Entry) bool {
			return step.Step == gslb.StepMethod && slices.ContainsFunc(step.Candidates, func(c gslb.Candidate) bool { return c.Kept && c.Service == name(alive, 400) })
		})
		if !picked || len(e.Counterfactuals) == 0 {
			t.Errorf("the answer tells %d counterfactuals, and who was picked: %t", len(e.Counterfactuals), picked)
		}
	}
}

func FuzzAnswerExplain(f *testing.F) {
	f.Add([]byte(`{"name": "www.gslb.example.com", "type": "A", "client": "192.0.2.9", "subnet": "203.0.113.0/24"}`))
	f.Add([]byte(`{"name": "api.gslb.example.com", "type": "TYPE28", "client": "::1", "listener": "192.0.2.53"}`))
	fixture := newFixture(f, nil)
	f.Fuzz(func(t *testing.T, body []byte) {
		text, err := AnswerExplain(fixture.state, "ams", body)
		if err == nil && (!json.Valid(text) || len(text) > mep.MaxAsk) {
			t.Errorf("%d bytes: %.100s", len(text), text)
		}
	})
}

// TestExplainTellsWhatElse: shares of those that take turns, the state of what is out, the age of the belief.
func TestExplainTellsWhatElse(t *testing.T) {
	f := newFixture(t, nil)
	f.state.Snapshot.GSLB.Status.Alarm = "most targets were lost at once"
	e := get[resource.Explanation](t, f, "/v1/explain?name=www.gslb.example.com&client=192.0.2.9")
	said := map[string]string{}
	for _, c := range e.Counterfactuals {
		said[c.Service] = c.Text
	}
	if said["web-ams"] != "takes turns: 1/2 of the answers" || said["web-nyc"] != said["web-ams"] {
		t.Errorf("it says %q", said)
	}
	if e.Alarm == "" || e.StatusAgeSeconds <= 0 {
		t.Errorf("alarm %q, belief %v s old", e.Alarm, e.StatusAgeSeconds)
	}
	if e := get[resource.Explanation](t, f, "/v1/explain?name=text.gslb.example.com&type=TXT"); len(e.Counterfactuals) != 0 {
		t.Errorf("of a record of the zone it says %+v", e.Counterfactuals)
	}
	if p := places(refusal(t, f.request(http.MethodGet, "/v1/explain?name=x&listener=192.0.2.1:53", ""))); !cmp.Equal(p, []string{"/query/listener invalid"}) {
		t.Errorf("a listener with a port: %q", p)
	}
}
