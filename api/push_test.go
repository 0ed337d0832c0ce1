package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"fairlead/monitors/metric"
)

func TestPush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		now := time.Now()
		steps := []struct {
			name, body string
			want       int
			at         time.Time // of what is taken
		}{
			{"dated", `{"active": 7, "at": "` + now.Add(-time.Minute).Format(time.RFC3339Nano) + `"}`, http.StatusNoContent, now.Add(-time.Minute)},
			{"older", `{"active": 9, "at": "` + now.Add(-time.Hour).Format(time.RFC3339Nano) + `"}`, http.StatusConflict, time.Time{}},
			{"not dated", `{"active": 0}`, http.StatusNoContent, now},
			{"a little ahead", `{"active": 1, "at": "` + now.Add(4*time.Second).Format(time.RFC3339Nano) + `"}`, http.StatusNoContent, now},
			{"far ahead", `{"active": 1, "at": "` + now.Add(6*time.Second).Format(time.RFC3339Nano) + `"}`, http.StatusUnprocessableEntity, time.Time{}},
			{"with a zone", `{"active": 9007199254740992, "at": "` + now.In(time.FixedZone("", 3600)).Format(time.RFC3339) + `"}`, http.StatusNoContent, now},
		}
		for _, step := range steps {
			before := len(f.pushed)
			w := f.request(http.MethodPut, "/v1/services/web-ams/load", step.body)
			if w.Code != step.want {
				t.Fatalf("%s: status %d, want %d: %s", step.name, w.Code, step.want, w.Body)
			}
			if taken := len(f.pushed) > before; taken != (step.want == http.StatusNoContent) {
				t.Errorf("%s: taken is %t", step.name, taken)
			} else if taken && !f.pushed[before].at.Equal(step.at) {
				t.Errorf("%s: dated %s, want %s", step.name, f.pushed[before].at, step.at)
			}
			if w.Code == http.StatusNoContent && w.Body.Len() > 0 {
				t.Errorf("%s: 204 with a body: %s", step.name, w.Body)
			}
		}
		if got := fmt.Sprint(f.pushed[0].active, f.pushed[1].active, f.pushed[3].active); got != "7 0 9007199254740992" {
			t.Errorf("active connections taken: %s", got)
		}
	})
}

// TestPushMetrics: every metric reaches the source, in its unit there.
func TestPushMetrics(t *testing.T) {
	f := newFixture(t, nil)
	body := `{"requests_per_second": 1.5, "requests_total": 2, "response_time_ms": 250, "bits_per_second": 4, "bytes_total": 5,
		"packets_per_second": 6, "packets_total": 7, "custom": 0.7, "members": 8, "member_weight": 9, "capacity": 10}`
	if w := f.request(http.MethodPut, "/v1/services/web-ams/load", body); w.Code != http.StatusNoContent {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	for metric, want := range map[metric.Metric]float64{
		metric.Requests: 1.5, metric.RequestsTotal: 2, metric.ResponseTime: 0.25, metric.Bandwidth: 4, metric.BytesTotal: 5,
		metric.Packets: 6, metric.PacketsTotal: 7, metric.CustomLoad: 0.7, metric.Members: 8, metric.MemberWeight: 9, metric.Capacity: 10,
	} {
		if got, ok := f.pushed[0].told.Get(metric); !ok || got != want {
			t.Errorf("%s: got %v %t, want %v", metric, got, ok, want)
		}
	}
	if _, ok := f.pushed[0].told.Get(metric.Active); ok {
		t.Error("connections were taken that were not told")
	}
}

func TestPushRefusals(t *testing.T) {
	tests := []struct {
		name, service, body string
		headers             []string
		status              int
		want                []string
	}{
		{"no such service", "web-par", `{"active":1}`, nil, 404, []string{"/path/name no-such-service"}},
		{"read elsewhere", "api-ams", `{"active":1}`, nil, 404, []string{"/path/name not-pushed"}},
		{"no source", "web-nyc", `{"active":1}`, nil, 404, []string{"/path/name other-site"}},
		{"other site", "web-tyo", `{"active":1}`, nil, 404, []string{"/path/name other-site"}},
		{"negative and unknown", "web-ams", `{"active":-1,"activ":2}`, nil, 422, []string{"/body/active invalid", "/body/activ unknown"}},
		{"fraction", "web-ams", `{"active":1.5}`, nil, 422, []string{"/body/active invalid"}},
		{"text", "web-ams", `{"active":"5"}`, nil, 422, []string{"/body/active invalid"}},
		{"too many", "web-ams", `{"active":9007199254740994}`, nil, 422, []string{"/body/active invalid"}},
		{"missing", "web-ams", `{}`, nil, 422, []string{"/body required"}},
		{"only a time", "web-ams", `{"at":"2026-01-02T03:04:05Z"}`, nil, 422, []string{"/body required"}},
		{"negative metrics", "web-ams", `{"custom":-0.5,"bytes_total":1e300}`, nil, 422, []string{"/body/bytes_total invalid", "/body/custom invalid"}},
		{"null", "web-ams", `null`, nil, 422, []string{"/body invalid"}},
		{"date", "web-ams", `{"active":1,"at":"yesterday"}`, nil, 422, []string{"/body/at invalid"}},
		{"list", "web-ams", `[1]`, nil, 422, []string{"/body invalid"}},
		{"not JSON", "web-ams", `{"active":1`, nil, 400, []string{"/body invalid"}},
		{"no body", "web-ams", ``, nil, 400, []string{"/body required"}},
		{"form", "web-ams", `active=1`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, []string{"/header/Content-Type media-type"}},
		{"too large", "web-ams", `{"active":` + strings.Repeat(" ", MaxBodyBytes) + `1}`, nil, 413, []string{"/body request-too-large"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t, nil)
			w := f.request(http.MethodPut, "/v1/services/"+test.service+"/load", test.body, test.headers...)
			if w.Code != test.status {
				t.Fatalf("status %d, want %d: %s", w.Code, test.status, w.Body)
			}
			if diff := cmp.Diff(test.want, places(refusal(t, w))); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
			if len(f.pushed) > 0 {
				t.Errorf("taken: %+v", f.pushed)
			}
		})
	}
}

// TestPushFailure keeps what went wrong inside the node out of the answer.
func TestPushFailure(t *testing.T) {
	w := newFixture(t, nil).request(http.MethodPut, "/v1/services/web-ams/load", `{"active":666}`)
	if p := refusal(t, w); w.Code != http.StatusInternalServerError || strings.Contains(p.Detail, "fire") {
		t.Errorf("status %d, %+v", w.Code, p)
	}
}
