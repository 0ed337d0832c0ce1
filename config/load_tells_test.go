package config

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestExamplesAreToldTheirLoad: the warning is none about documents that people begin with.
func TestExamplesAreToldTheirLoad(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "examples", "*", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, file := range files {
		if strings.HasPrefix(filepath.Base(file), "node-") {
			continue
		}
		source, err := ReadSource(file)
		if err != nil {
			t.Fatal(err)
		}
		seen++
		_, report := Parse(source)
		for _, p := range report.Problems() {
			if p.Code == codeWarnNoLoad {
				t.Errorf("%s", p.String())
			}
		}
	}
	if seen < 2 {
		t.Fatalf("found %d examples", seen)
	}
}

// TestWhatSourcesTell: which metrics the document can know of each kind.
func TestWhatSourcesTell(t *testing.T) {
	all := []LoadMetric{MetricActive, MetricRequests, MetricResponseTime, MetricBandwidth, MetricPackets, metricCustom, metricMembers, metricMemberWeight}
	tests := []struct {
		name string
		load LoadSource
		want string
	}{
		{"push", LoadSource{Source: LoadPush}, "active requests_per_second response_time_ms bits_per_second packets_per_second custom members member_weight"},
		{"haproxy", LoadSource{Source: LoadHAProxy, Backend: "web"}, "active requests_per_second response_time_ms bits_per_second members member_weight"},
		{"nginx", LoadSource{Source: LoadNGINX}, "active requests_per_second"},
		{"nginx with custom parts", LoadSource{Source: LoadNGINX, Custom: []CustomMetric{{Path: "writing"}}}, "active requests_per_second custom"},
		{"vts", LoadSource{Source: LoadNGINXVTS, Backend: "web"}, "active requests_per_second response_time_ms bits_per_second members member_weight"},
		{"vts zone", LoadSource{Source: LoadNGINXVTS, Backend: "server:web"}, "active requests_per_second response_time_ms bits_per_second"},
		{"plus zone", LoadSource{Source: LoadNGINXPlus, Backend: "server:web"}, "active requests_per_second bits_per_second"},
		{"plus stream zone", LoadSource{Source: LoadNGINXPlus, Backend: "stream-server:db"}, "active requests_per_second bits_per_second"},
		{"traefik", LoadSource{Source: LoadTraefik, Backend: "web@docker"}, "requests_per_second response_time_ms bits_per_second members"},
		{"traefik entry point", LoadSource{Source: LoadTraefik, Backend: "entrypoint:web"}, "active requests_per_second response_time_ms bits_per_second"},
		{"ipvs", LoadSource{Source: LoadIPVS, Backend: "tcp 192.0.2.1:80"}, "active requests_per_second bits_per_second packets_per_second members member_weight"},
		{"openmetrics", LoadSource{Source: LoadOpenMetrics, Fields: LoadFields{RequestsTotal: "a", ResponseSecondsTotal: "b"}}, "requests_per_second response_time_ms"},
		{"prometheus of custom parts alone", LoadSource{Source: LoadPrometheus, Custom: []CustomMetric{{Path: "up"}}}, "custom"},
		{"json of nothing is one number", LoadSource{Source: LoadJSON}, "active"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, m := range all {
				if tt.load.tells(m) {
					got = append(got, string(m))
				}
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("got  %s\nwant %s", s, tt.want)
			}
		})
	}
}
