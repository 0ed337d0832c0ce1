package api

import (
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fairlead/config/revision"
	"fairlead/mep"
	"fairlead/sites/agree"
)

func scrape(t *testing.T, f *fixture) string {
	t.Helper()
	w := f.request(http.MethodGet, "/metrics", "")
	if w.Code != http.StatusOK {
		t.Fatalf("GET /metrics = %d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestMetrics(t *testing.T) {
	f := newFixture(t, nil)
	text := scrape(t, f)
	for _, want := range []string{
		`fairlead_dns_queries_total{transport="udp"} 100`,
		`fairlead_dns_queries_total{transport="tcp"} 10`,
		`fairlead_dns_responses_total{rcode="NOERROR"} 104`,
		`fairlead_dns_responses_total{rcode="SERVFAIL"} 0`,
		`fairlead_dns_responses_total{rcode="BADVERS"} 1`,
		`fairlead_dns_truncated_total 5`,
		`fairlead_dns_questions_total{type="AAAA"} 30`,
		`fairlead_dns_answers_total{path="fast"} 90`,
		`fairlead_dns_latency_seconds_bucket{transport="udp",le="1e-06"} 2`,
		`fairlead_dns_latency_seconds_bucket{transport="udp",le="2e-06"} 5`,
		`fairlead_dns_latency_seconds_bucket{transport="udp",le="1.048576"} 5`,
		`fairlead_dns_latency_seconds_bucket{transport="udp",le="+Inf"} 6`,
		`fairlead_dns_latency_seconds_sum{transport="udp"} 2.5`,
		`fairlead_dns_latency_seconds_count{transport="udp"} 6`,
		`fairlead_dns_dnstap_messages_total{result="dropped"} 8`,
		`fairlead_dns_query_log_entries_total{result="written"} 9`,
		`fairlead_dns_connections_open{transport="tcp"} 2`,
		`fairlead_dns_handshake_errors_total{transport="tls"} 6`,
		`fairlead_service_state{service="web-ams",site="ams",state="UP"} 1`,
		`fairlead_service_state{service="web-ams",site="ams",state="DOWN"} 0`,
		`fairlead_service_state{service="old-nyc",site="nyc",state="DISABLED"} 1`,
		`fairlead_service_active_connections{service="web-ams",site="ams"} 12`,
		`fairlead_service_response_time_seconds{service="web-ams",site="ams"} 0.25`,
		`fairlead_service_bandwidth_bits_per_second{service="web-ams",site="ams"} 5e+06`,
		`fairlead_service_load_age_seconds{service="web-ams",site="ams"} `,
		`fairlead_virtual_server_usable{virtual_server="web"} 1`,
		`fairlead_virtual_server_usable{virtual_server="spare"} 0`,
		`fairlead_mep_session_up{peer="nyc"} 1`,
		`fairlead_mep_session_up{peer="tyo"} 0`,
		`fairlead_mep_rtt_seconds{peer="nyc"} 0.08`,
		`fairlead_mep_clock_skew_seconds{peer="nyc"} -0.002`,
		`fairlead_mep_bytes_total{direction="in",peer="nyc"} 1000`,
		`fairlead_mep_rejections_total{reason="tls"} 3`,
		`fairlead_mep_session_ends_total{reason="one-way"} 2`, `fairlead_mep_session_ends_total{reason="silence"} 0`,
		`fairlead_probes_total 70`,
		`fairlead_probe_targets 4`,
		`fairlead_snapshot_generation 7`,
		`fairlead_document_info{id="` + f.state.DocumentID + `"} 1`,
		`fairlead_document_last_reload_failed 0`,
		`fairlead_node_info{site="ams",version="1.2.3"} 1`,
		"go_goroutines ",
		"process_start_time_seconds ",
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("no line starts with %s", want)
		}
	}
	for _, absent := range []string{`fairlead_service_active_connections{service="web-nyc"`, `fairlead_service_load_age_seconds{service="web-nyc"`, `fairlead_service_packets_per_second{service="web-ams"`, `fairlead_mep_rtt_seconds{peer="tyo"}`} {
		if strings.Contains(text, absent) {
			t.Errorf("%s has a value although nothing was measured", absent)
		}
	}
}

// TestMetricsAreReadAtScrape changes the node between two scrapes.
func TestMetricsAreReadAtScrape(t *testing.T) {
	f := newFixture(t, nil)
	scrape(t, f)
	changed := *f.state
	changed.LastError = "line 3: unknown key"
	f.state = &changed
	if text := scrape(t, f); !strings.Contains(text, "\nfairlead_document_last_reload_failed 1\n") {
		t.Error("fairlead_document_last_reload_failed is not 1")
	}
}

// TestMetricsOfABrokenName spoils a label: the process lives, and the scrape says what is wrong.
func TestMetricsOfABrokenName(t *testing.T) {
	w := newFixture(t, func(o *Options) { o.Version = "\xff" }).request(http.MethodGet, "/metrics", "")
	if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "UTF-8") {
		t.Errorf("status %d: %.200s", w.Code, w.Body)
	}
}

var (
	typeLine   = regexp.MustCompile(`(?m)^# TYPE (fairlead_\w+) (\w+)$`)
	sampleLine = regexp.MustCompile(`(?m)^(fairlead_\w+)(?:\{(.*)\})? `)
	labelName  = regexp.MustCompile(`(\w+)="`)
	metricRow  = regexp.MustCompile("(?m)^\\| `(fairlead_\\w+)` \\| (\\w+) \\|([^|]*)\\| [^|]+ \\|$")
)

// TestMetricsAreDocumented compares docs/metrics.md with what a node exports: name, type and labels.
func TestMetricsAreDocumented(t *testing.T) {
	f := newFixture(t, func(o *Options) {
		withMonitors(o)
		o.Groups = testGroups
		docs := newMemoryDocuments(t, "sites: [{name: ams, address: 192.0.2.1}]\n")
		docs.sync.Peers = []revision.PeerSync{{Site: "nyc"}}
		o.Documents, o.DocumentCounts = docs, func() DocumentCounts { return DocumentCounts{} }
		o.SharedSessions = func() []SharedSessions { return []SharedSessions{{Site: "nyc"}} }
		o.Agreements = func() []agree.PeerStatus {
			return []agree.PeerStatus{{Site: "nyc", State: agree.Differs, Disagreements: map[agree.Cause]uint64{agree.CauseClock: 1}}}
		}
		peers := append(o.Peers(), mep.PeerStatus{Site: "up", Relation: mep.RelationParent})
		o.Peers = func() []mep.PeerStatus { return peers }
	})
	f.keepSessions(t)
	text := scrape(t, f)
	labels := map[string]string{}
	for _, sample := range sampleLine.FindAllStringSubmatch(text, -1) {
		var names []string
		for _, label := range labelName.FindAllStringSubmatch(sample[2], -1) {
			names = append(names, label[1])
		}
		slices.Sort(names)
		labels[sample[1]] = strings.Join(names, ", ")
	}
	var exported, documented []string
	for _, family := range typeLine.FindAllStringSubmatch(text, -1) {
		sample := family[1]
		if family[2] == "histogram" {
			sample += "_count" // its buckets have the label le, too
		}
		exported = append(exported, family[1]+" "+family[2]+" {"+labels[sample]+"}")
	}
	page, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range metricRow.FindAllStringSubmatch(string(page), -1) {
		names := strings.FieldsFunc(row[3], func(r rune) bool { return strings.ContainsRune("`, ", r) })
		slices.Sort(names)
		documented = append(documented, row[1]+" "+row[2]+" {"+strings.Join(names, ", ")+"}")
	}
	slices.Sort(exported)
	slices.Sort(documented)
	if diff := cmp.Diff(exported, documented); diff != "" {
		t.Errorf("metrics (-exported +documented):\n%s", diff)
	}
}
