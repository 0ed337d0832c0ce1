package api

import (
	"strings"
	"testing"

	"fairlead/config/revision"
)

func TestConfigMetrics(t *testing.T) {
	text := scrape(t, newFixture(t, func(o *Options) {
		docs := newMemoryDocuments(t, "sites: [{name: ams, address: 192.0.2.1}]\n")
		docs.sync = revision.Sync{Peers: []revision.PeerSync{{Site: "nyc", Ahead: 3, Behind: 2}}, Quarantine: make([]revision.Quarantined, 4), Unavailable: "disk full"}
		o.Documents = docs
		o.DocumentCounts = func() DocumentCounts {
			return DocumentCounts{Written: 11, Merged: 12, Undone: 13, Refused: 14, Quarantined: 15, Lies: 16, Dropped: 17}
		}
	}))
	for _, want := range []string{
		`fairlead_config_revisions_total{result="written"} 11`,
		`fairlead_config_revisions_total{result="merged"} 12`,
		`fairlead_config_revisions_total{result="undone"} 13`,
		`fairlead_config_revisions_total{result="refused"} 14`,
		`fairlead_config_revisions_total{result="quarantined"} 15`,
		`fairlead_config_messages_refused_total{reason="malformed"} 16`,
		`fairlead_config_messages_refused_total{reason="no-room"} 17`,
		`fairlead_config_conflicts 0`,
		`fairlead_config_quarantine 4`,
		`fairlead_config_peer_ahead{peer="nyc"} 3`,
		`fairlead_config_peer_behind{peer="nyc"} 2`,
		`fairlead_config_store_available 0`,
	} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("no line is %s", want)
		}
	}
}
