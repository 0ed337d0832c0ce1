package api

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fairlead/api/resource"
	"fairlead/gslb"
)

const measured = "/v1/measurements/203.0.113.0/24"

func TestMeasurementsArePushedListedAndForgotten(t *testing.T) {
	f := newFixture(t, nil)
	for _, target := range []string{measured, "/v1/measurements/2001:db8::/32"} {
		w := f.request(http.MethodPut, target, `{"values": [{"service": "web-nyc", "value": 80.5}, {"service": "web-ams", "value": 12}], "for": "90s"}`)
		if w.Code != http.StatusOK {
			t.Fatalf("PUT %s = %d %s", target, w.Code, w.Body)
		}
	}
	list := get[resource.MeasurementList](t, f, "/v1/measurements?client=203.0.113.9")
	if len(list.Measurements) != 1 || list.Prefixes != 2 || list.Max != gslb.MaxPushedPrefixes {
		t.Fatalf("list is %+v", list)
	}
	m := list.Measurements[0]
	for i := range m.Values {
		if left := m.Values[i].EndsInSeconds; left <= 80 || left > 90 {
			t.Errorf("%s ends in %v s", m.Values[i].Service, left)
		}
		m.Values[i].EndsInSeconds = 0
	}
	want := resource.Measurement{Prefix: netip.MustParsePrefix("203.0.113.0/24"), Values: []resource.PushedValue{{Service: "web-ams", Value: 12}, {Service: "web-nyc", Value: 80.5}}}
	if diff := cmp.Diff(want, m, sameAddress()); diff != "" {
		t.Errorf("measurement (-want +got):\n%s", diff)
	}
	if w := f.request(http.MethodPut, measured, `{"values": [{"service": "web-nyc", "value": 1}]}`); w.Code != http.StatusOK {
		t.Fatalf("PUT = %d %s", w.Code, w.Body)
	}
	if m = get[resource.MeasurementList](t, f, "/v1/measurements?client=203.0.113.9").Measurements[0]; len(m.Values) != 1 || m.Values[0].EndsInSeconds < 290 {
		t.Errorf("the later report did not replace the first: %+v", m)
	}
	if w := f.request(http.MethodDelete, measured, ""); w.Code != http.StatusNoContent {
		t.Errorf("DELETE = %d %s", w.Code, w.Body)
	}
	if got := places(refusal(t, f.request(http.MethodDelete, measured, ""))); !cmp.Equal(got, []string{"/path no-such-measurement"}) {
		t.Errorf("second DELETE: %q", got)
	}
}

func TestMeasurementsComeInPages(t *testing.T) {
	f := newFixture(t, nil)
	for i := range 5 {
		f.request(http.MethodPut, fmt.Sprintf("/v1/measurements/203.0.%d.0/24", i), `{"values": [{"service": "web-nyc", "value": 1}]}`)
	}
	seen, next := map[netip.Prefix]bool{}, ""
	for range 3 {
		page := get[resource.MeasurementList](t, f, "/v1/measurements?limit=2"+next)
		for _, m := range page.Measurements {
			seen[m.Prefix] = true
		}
		if next = "&cursor=" + page.NextCursor; page.NextCursor == "" {
			break
		}
	}
	if len(seen) != 5 || next != "&cursor=" {
		t.Errorf("pages have %v, and then %q", seen, next)
	}
}

func TestMeasurementRefusals(t *testing.T) {
	one := `{"values": [{"service": "web-nyc", "value": 1}]}`
	tests := []struct {
		name, target, body string
		want               []string
	}{
		{"host bits", "/v1/measurements/203.0.113.7/24", one, []string{"/path/address invalid"}},
		{"no address", "/v1/measurements/here/24", one, []string{"/path/address invalid"}},
		{"too long", "/v1/measurements/203.0.113.0/33", one, []string{"/path/length invalid"}},
		{"mapped", "/v1/measurements/::ffff:203.0.113.0/120", one, []string{"/path/address invalid"}},
		{"nothing", measured, `{"values": []}`, []string{"/body/values invalid"}},
		{"unknown and twice", measured, `{"values": [{"service": "nope", "value": 1}, {"service": "web-nyc", "value": 1}, {"service": "web-nyc", "value": 2}]}`,
			[]string{"/body/values/0/service no-such-service", "/body/values/2/service invalid"}},
		{"short", measured, `{"values": [{"service": "web-nyc", "value": 1}], "for": "1ms"}`, []string{"/body/for invalid"}},
		{"no duration", measured, `{"values": [{"service": "web-nyc", "value": 1}], "for": "soon"}`, []string{"/body/for invalid"}},
		{"misspelt", measured, `{"values": [{"service": "web-nyc", "value": 1}], "until": "5m"}`, []string{"/body/until unknown"}},
		{"too many", measured, `{"values": [` + strings.TrimSuffix(strings.Repeat(`{"service": "web-nyc", "value": 1},`, 65), ",") + `]}`, []string{"/body/values invalid"}},
	}
	f := newFixture(t, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := f.request(http.MethodPut, tt.target, tt.body)
			if w.Code != http.StatusUnprocessableEntity {
				t.Fatalf("status %d: %s", w.Code, w.Body)
			}
			if diff := cmp.Diff(tt.want, places(refusal(t, w))); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
	if n := f.state.Snapshot.Learned.Pushed.Len(); n != 0 {
		t.Errorf("%d refused reports were taken in", n)
	}
}

// TestMeasurementsDecide: what is pushed changes the answers of a virtual server whose method is api, within the prefix only.
func TestMeasurementsDecide(t *testing.T) {
	f := newFixture(t, nil)
	answer := func(subnet string) resource.Explanation {
		return get[resource.Explanation](t, f, "/v1/explain?name=measured.gslb.example.com&client=192.0.2.9&subnet="+subnet)
	}
	push := func(ams, nyc float64) {
		w := f.request(http.MethodPut, measured, fmt.Sprintf(`{"values": [{"service": "web-ams", "value": %v}, {"service": "web-nyc", "value": %v}]}`, ams, nyc))
		if w.Code != http.StatusOK {
			t.Fatalf("PUT = %d %s", w.Code, w.Body)
		}
	}
	for _, tt := range []struct {
		ams, nyc float64
		want     string
	}{{1, 2, "192.0.2.80"}, {3, 2, "198.51.100.80"}} {
		push(tt.ams, tt.nyc)
		e := answer("203.0.113.0/24")
		if len(e.Answer) != 1 || !strings.HasSuffix(e.Answer[0], tt.want) || e.Scope != 24 {
			t.Errorf("ams %v, nyc %v: answer %q, scope %d, want %s and 24", tt.ams, tt.nyc, e.Answer, e.Scope, tt.want)
		}
		if len(e.Counterfactuals) != 1 || e.Counterfactuals[0].Changes[0].Kind != gslb.ChangePushed {
			t.Errorf("counterfactuals are %+v", e.Counterfactuals)
		}
	}
	if e := answer("198.51.100.0/24"); e.Trace.Entries[len(e.Trace.Entries)-2].Reason != gslb.ReasonRotation {
		t.Errorf("outside the prefix: %+v", e.Trace.Entries)
	}
	if n := f.state.Snapshot.Learned.Pushed.Expire(time.Now().Add(time.Hour).Unix()); n != 1 {
		t.Errorf("%d prefixes ended, want 1", n)
	}
}
