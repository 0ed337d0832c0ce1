package node_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"fairlead/api/client"
	"fairlead/api/resource"
	"fairlead/config"
	"fairlead/internal/node"
)

// TestTrials: a node runs its monitors on demand within its own reach, reads load sources, counts what it did, and shows what its monitors
// hold; a workbench does the same without a node.
func TestTrials(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/load" {
			_, _ = io.WriteString(w, `{"active": 3, "members": 2}`)
			return
		}
		w.WriteHeader(http.StatusTeapot)
	}))
	defer web.Close()
	port := web.Listener.Addr().String()
	port = port[strings.LastIndex(port, ":")+1:]
	text := fmt.Sprintf(`zones: [{name: example.test, nameservers: [ns.example.test], records: "ns 60 A 192.0.2.53"}]
sites: [{name: here, address: 127.0.0.1}]
monitors:
  - {name: tea, type: http, interval: 2s, timeout: 2s, http: {expect_status: ["418"]}}
  - {name: behind, type: passive, passive: {min_members: 2}}
  - {name: both, type: calculated, calculated: {monitors: [tea, behind]}}
services:
  - {name: web, site: here, addresses: [127.0.0.1], port: %[1]s, monitors: [tea, behind, both], load: {source: push}}
  - {name: read, site: here, addresses: [127.0.0.1], port: %[1]s, load: {source: json, interval: 2s, timeout: 2s, url: "http://127.0.0.1:%[1]s/load", fields: {active: active, members: members}}}
virtual_servers:
  - {name: www, domains: [{name: www.example.test}], method: round-robin, members: [{service: web}, {service: read}]}
`, port)
	p := newPlace(t, true)
	p.write(text)
	n, _ := p.serve(func(o *node.Options) { o.Config.MEP.Listen = "" })
	c, err := client.New(n.APIAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx := context.Background()
	if got, err := c.TestMonitor(ctx, "behind", resource.MonitorQuestion{}); err != nil || got.Passes || got.Runs[0].State != "UNKNOWN" {
		t.Errorf("a passive monitor that nobody told anything: got %+v, %v", got, err)
	}
	pushMembers(t, n, "web", 2)
	wait(t, "all monitors have a verdict", func() bool {
		s, err := c.Service(ctx, "web")
		return err == nil && len(s.Monitors) == 3 && s.Monitors[0].State == "UP" && s.Monitors[1].State == "UP" && s.Monitors[2].State == "UP"
	})
	got, err := c.TestMonitor(ctx, "both", resource.MonitorQuestion{Service: "web"})
	if err != nil || !got.Passes || got.Site != "here" || len(got.Runs) != 1 || len(got.Runs[0].Parts) != 2 || got.Runs[0].Held == nil || got.Runs[0].Held.State != "UP" {
		t.Errorf("got %+v, %v, want a run that passes, and its verdict", got, err)
	}
	if got, err := c.TestMonitor(ctx, "tea", resource.MonitorQuestion{Target: n.APIAddr().String()}); err != nil || got.Passes || !strings.Contains(got.Runs[0].Reason, "a control socket of this node") {
		t.Errorf("the node's own API: got %+v, %v", got, err)
	}
	if got, err := c.TestLoad(ctx, "read"); err != nil || !got.OK || len(got.Metrics) != 2 || got.Metrics[0].Value != 3 {
		t.Errorf("got %+v, %v, want active and members", got, err)
	}
	wait(t, "the load source was read", func() bool {
		s, err := c.Service(ctx, "read")
		return err == nil && s.LoadSource != nil && s.LoadSource.AgeSeconds != nil && s.LoadSource.Failure == ""
	})
	metrics := scrapeNode(t, n)
	for _, want := range []string{`fairlead_probe_results_total{result="passed",type="http"} `, `fairlead_monitor_up{address="127.0.0.1",monitor="both",service="web"} 1`,
		`fairlead_load_reads_total{result="whole",source="json"} `, `fairlead_load_source_failing{service="read"} 0`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no metric %s", want)
		}
	}
	tryWithoutANode(t, text)
}

// tryWithoutANode tries the document of TestTrials.
func tryWithoutANode(t *testing.T, text string) {
	t.Helper()
	ctx := context.Background()
	document, report := config.Parse(config.Source{Name: "gslb.yaml", Text: []byte(text)})
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	w := node.NewWorkbench(nil, document)
	if got, err := w.Monitor(ctx, "tea", resource.MonitorQuestion{}); err != nil || !got.Passes || got.Runs[0].Held != nil || got.Site != "" {
		t.Errorf("without a node: got %+v, %v", got, err)
	}
	if got, err := w.Load(ctx, "read"); err != nil || !got.OK {
		t.Errorf("without a node: got %+v, %v", got, err)
	}
	if _, err := w.Monitor(ctx, "none", resource.MonitorQuestion{}); !errors.Is(err, node.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if _, err := w.Load(ctx, "none"); !errors.Is(err, node.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if _, err := w.Monitor(ctx, "tea", resource.MonitorQuestion{Target: "x y"}); err == nil || errors.Is(err, node.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

// pushMembers tells a node how many servers are behind a service.
func pushMembers(t *testing.T, n *node.Node, service string, members int) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPut, "http://"+n.APIAddr().String()+"/v1/services/"+service+"/load", strings.NewReader(fmt.Sprintf(`{"members": %d}`, members)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusNoContent {
		t.Fatalf("push: %s", answer.Status)
	}
}

func scrapeNode(t *testing.T, n *node.Node) string {
	t.Helper()
	answer, err := http.Get("http://" + n.APIAddr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
