package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fairlead/api/resource"
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
