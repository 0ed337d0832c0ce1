package main

import "testing"

// TestWhatIf: what is bad already is told apart from what a loss makes worse.
func TestWhatIf(t *testing.T) {
	api := fakeAPI(t, map[string]string{
		"/v1/whatif?load=1x&lose=ams": `{"snapshot": 7, "lost": ["ams"], "load": 1, "per_second": 10, "kinds": 4,
			"before": {"unanswered": 0.5, "last_resort": 0,
				"sites": [{"name": "ams", "share": 0.25, "connections": 50, "capacity": 100, "percent": 50}, {"name": "nyc", "share": 0.25, "connections": 50}],
				"services": [{"name": "web-ams", "site": "ams", "share": 0.25, "connections": 50, "state": "UP"}],
				"names": [{"name": "old.test.", "unanswered": 0.5, "per_second": 5}, {"name": "dr.test.", "unanswered": 0.5, "per_second": 1}, {"name": "www.test.", "unanswered": 0.5, "per_second": 5}]},
			"rounds": [{"failed": ["web-ams"], "state": {"unanswered": 0.6, "last_resort": 0, "stranded": 20,
				"sites": [{"name": "ams", "capacity": 100, "percent": 0}, {"name": "nyc", "share": 0.4, "connections": 80}],
				"services": [{"name": "web-ams", "site": "ams", "connections": 0, "state": "DOWN"}],
				"names": [{"name": "www.test.", "unanswered": 0.7, "per_second": 5}, {"name": "dr.test.", "unanswered": 0.5, "last_resort": 0.5, "per_second": 1},
					{"name": "old.test.", "unanswered": 0.5, "per_second": 5}]}}],
			"notes": ["the capacity of 1 service is not known"]}`,
	})
	var out, problems output
	if code := run(t.Context(), []string{"whatif", "--lose", "ams", "--api", api}, &out, &problems); code != exitDone {
		t.Fatalf("exit code %d: %s", code, problems.String())
	}
	want := `ams lost, 1x the connections of now; from 10 queries/s in 4 kinds (snapshot 7)

round 1: down: web-ams
  SITE  SERVICE  SHARE            CONNECTIONS          CAPACITY  USED
  ams            25 %   ->  0 %   50           ->  0   100       0 %
        web-ams  25 %   ->  0 %   50           ->  0   unknown   unknown  DOWN
  nyc            25 %   ->  40 %  50           ->  80  unknown   unknown
  60 % of the queries get no address (now 50 %), 0 % a last resort (now 0 %); 20 connections are stranded
  www.test.: 70 % unanswered, 0 % last resort, 5 queries/s
  dr.test.: 50 % unanswered, 50 % last resort, 1 queries/s
note: the capacity of 1 service is not known
`
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
