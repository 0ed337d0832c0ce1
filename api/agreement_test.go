package api

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fairlead/api/resource"
	"fairlead/sites/agree"
)

// TestAgreementIsShown for the sites that are compared, in the list, alone and as metrics.
func TestAgreementIsShown(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f := newFixture(t, func(o *Options) {
		o.Agreements = func() []agree.PeerStatus {
			return []agree.PeerStatus{
				{Site: "nyc", State: agree.Differs, Since: at, Compared: at.Add(time.Second), Disagreements: map[agree.Cause]uint64{agree.CauseHealth: 3},
					Findings: []agree.Finding{{Cause: agree.CauseHealth, More: true, Objects: []agree.Object{{Name: "web", Text: "web is UP here and DOWN at nyc"}}}}},
				{Site: "tyo", State: agree.Unknown, Since: at},
			}
		}
	})
	want := map[string]*resource.Agreement{
		"nyc": {State: "differs", Since: at, ComparedAt: at.Add(time.Second), Causes: []resource.Disagreement{
			{Cause: "health", More: true, Objects: []resource.DisagreementItem{{Name: "web", Detail: "web is UP here and DOWN at nyc"}}}}},
		"tyo": {State: "unknown", Since: at},
	}
	for _, s := range get[resource.SiteList](t, f, "/v1/status/sites").Sites {
		if diff := cmp.Diff(want[s.Name], s.Agreement); diff != "" {
			t.Errorf("%s (-want +got):\n%s", s.Name, diff)
		}
	}
	if s := get[resource.Site](t, f, "/v1/status/sites/nyc"); !cmp.Equal(s.Agreement, want["nyc"]) {
		t.Errorf("nyc alone: %+v", s.Agreement)
	}
	text := scrape(t, f)
	for _, line := range []string{`fairlead_mep_agreement{peer="nyc"} 0`, `fairlead_mep_disagreements_total{cause="health",peer="nyc"} 3`} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("metrics lack %s", line)
		}
	}
	if strings.Contains(text, `fairlead_mep_agreement{peer="tyo"}`) {
		t.Error("what is not known is a metric")
	}
}

// TestCausesAreInTheInterface: every cause that a site may be told to differ by is one that clients know.
func TestCausesAreInTheInterface(t *testing.T) {
	var words []string
	for _, c := range agree.Causes() {
		words = append(words, string(c))
	}
	if want := "document,services,override,health,location,load-age,clock,answers"; strings.Join(words, ",") != want {
		t.Errorf("causes are %v, the interface says %s", words, want)
	}
}
