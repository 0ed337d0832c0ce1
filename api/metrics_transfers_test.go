package api

import (
	"strings"
	"testing"
	"testing/synctest"
)

func TestTransferMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := scrape(t, newFixture(t, nil))
		for _, want := range []string{
			`fairlead_transfers_total{result="whole"} 11`,
			`fairlead_transfers_total{result="differences"} 12`,
			`fairlead_transfers_total{result="current"} 13`,
			`fairlead_transfers_total{result="refused"} 14`,
			`fairlead_transfers_total{result="failed"} 15`,
			`fairlead_notify_total{result="answered"} 16`,
			`fairlead_notify_total{result="unanswered"} 17`,
			`fairlead_secondary_zones{state="served"} 2`,
			`fairlead_secondary_zones{state="unserved"} 2`,
			`fairlead_secondary_zones_failing 3`,
			`fairlead_secondary_oldest_confirmation_age_seconds 3.6e+06`,
		} {
			if !strings.Contains(text, "\n"+want+"\n") {
				t.Errorf("no line is %s", want)
			}
		}
	})
}

// TestTransferMetricsWithoutSecondaries: an age of nothing is not 0, which would look fresh.
func TestTransferMetricsWithoutSecondaries(t *testing.T) {
	text := scrape(t, newFixture(t, func(o *Options) { o.Secondaries = nil }))
	if strings.Contains(text, "\nfairlead_secondary_oldest_confirmation_age_seconds") {
		t.Error("there is an age although there are no zones")
	}
	if !strings.Contains(text, "\nfairlead_secondary_zones{state=\"served\"} 0\n") {
		t.Error("zones are not counted as 0")
	}
}
