//go:build integration

package servers

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fairlead/api/resource"
	"fairlead/internal/testkit/loopback"
)

// fairlead is a node of one site, run as an operator runs it.
type fairlead struct {
	*server
	binary   string
	dns, api int
}

// serve starts a node with a document. sockets is the directory whose Unix sockets it may read.
func serve(t *testing.T, sockets, doc string) *fairlead {
	t.Helper()
	dir := t.TempDir()
	f := &fairlead{binary: command(t), dns: loopback.Port(t), api: loopback.Port(t)}
	file(t, dir, "document.yaml", doc)
	node := file(t, dir, "node.yaml", fmt.Sprintf("site: ams\ndata_dir: data\nconfig: {follow: document.yaml}\ndns: {listen: [\"127.0.0.1:%d\"]}\napi: {listen: \"127.0.0.1:%d\"}\n"+
		"probes: {sockets: [%s], secrets: {directories: [%s]}}\nlog: {level: info, format: console}\n", f.dns, f.api, sockets, filepath.Dir(dir)))
	f.server = start(t, launch{dir: dir}, f.binary, "serve", "-f", node)
	return f
}

// services returns what the node believes of its services.
func (f *fairlead) services() (map[string]resource.Service, error) {
	out, err := exec.Command(f.binary, "--api", fmt.Sprintf("127.0.0.1:%d", f.api), "status", "services", "-o", "json").Output()
	if err != nil {
		return nil, fmt.Errorf("fairlead status: %w", err)
	}
	var list resource.ServiceList
	if err := json.Unmarshal(out, &list); err != nil {
		return nil, err
	}
	all := make(map[string]resource.Service)
	for _, s := range list.Services {
		all[s.Name] = s
	}
	return all, nil
}

// answers asks a name so many times, a question each while, and counts the answers.
func (f *fairlead) answers(name string, questions int, each time.Duration) map[string]int {
	f.t.Helper()
	got := make(map[string]int)
	tick := time.NewTicker(each)
	defer tick.Stop()
	for range questions {
		out, err := exec.Command("dig", "@127.0.0.1", "-p", fmt.Sprint(f.dns), name+".gslb.example.com", "A", "+short", "+tries=1", "+time=2").Output()
		if err != nil {
			f.t.Fatalf("dig: %v: %s", err, out)
		}
		got[strings.TrimSpace(string(out))]++
		<-tick.C
	}
	return got
}

// TestFollowsHAProxy: least-connection by what two real HAProxys carry, one read from its stats socket and one as CSV over HTTP. Answers
// follow as docs/decision.md says, and sources that die take nothing down.
func TestFollowsHAProxy(t *testing.T) {
	t.Parallel()
	need(t, "haproxy", "dig", "go", "nginx")
	one, two := startHAProxy(t, "127.0.0.1:9"), startHAProxy(t, "127.0.0.1:9")
	stub := loopback.Port(t)
	nginxDir := t.TempDir()
	nginx := start(t, launch{dir: nginxDir}, need(t, "nginx")[0], "-p", nginxDir, "-c", file(t, nginxDir, "nginx.conf", fmt.Sprintf(`daemon off; pid %[1]s/pid; error_log stderr; worker_processes 1;
events { worker_connections 64; }
http { access_log off; client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
	server { listen 127.0.0.1:%[2]d; location = /status { stub_status; } } }
`, nginxDir, stub)))
	password := file(t, t.TempDir(), "password", "hush\n")
	login := fmt.Sprintf(`login: {user: stats, password: "file:%s"}`, password)
	f := serve(t, filepath.Dir(one.socket), fmt.Sprintf(`zones: [{name: gslb.example.com, nameservers: [ns1.example.net]}]
sites: [{name: ams, address: 127.0.0.1}]
services:
  - {name: socket, site: ams, addresses: [192.0.2.81], load: {source: haproxy, url: "unix://%s", backend: db, interval: 200ms, timeout: 200ms}}
  - {name: csv, site: ams, addresses: [192.0.2.82], load: {source: haproxy, url: "http://127.0.0.1:%d/stats;csv", backend: db, interval: 200ms, timeout: 200ms, %s}}
  - {name: page, site: ams, addresses: [192.0.2.83], load: {source: openmetrics, url: "http://127.0.0.1:%d/metrics", interval: 200ms, timeout: 200ms, %s, fields: {active: 'haproxy_backend_current_sessions{proxy="db"}'}}}
  - {name: stub, site: ams, addresses: [192.0.2.84], load: {source: nginx, url: "http://127.0.0.1:%d/status", interval: 200ms, timeout: 200ms}}
virtual_servers:
  - {name: www, domains: [{name: www.gslb.example.com}], method: least-connection, members: [{service: socket}, {service: csv}]}
  - {name: heavy, domains: [{name: heavy.gslb.example.com}], method: least-connection, members: [{service: socket, weight: 4}, {service: csv, weight: 1}]}
  - {name: rest, domains: [{name: rest.gslb.example.com}], method: least-connection, members: [{service: page}, {service: stub}]}
`, one.socket, two.stats, login, two.stats, login, stub))
	byOne, byTwo := &client{t: t}, &client{t: t}
	told := func(first, second int) {
		t.Helper()
		byOne.hold(one.db, first)
		byTwo.hold(two.db, second)
		f.until(fmt.Sprintf("reads %d and %d connections", first, second), func() error {
			all, err := f.services()
			if err != nil {
				return err
			}
			for name, want := range map[string]int{"socket": first, "csv": second, "page": second, "stub": 0} {
				if s := all[name]; s.Load == nil || s.Load.Active != uint64(want) {
					return fmt.Errorf("%s has a load of %+v, want %d", name, s.Load, want)
				}
			}
			return nil
		})
	}
	const socket, csv = "192.0.2.81", "192.0.2.82"
	const (
		slow = 300 * time.Millisecond // fewer than four questions a second: each answer goes to the lowest
		fast = time.Millisecond       // between two reports, as far as may be: each of them forgets the answers of before, which brought nobody
	)
	for _, step := range []struct {
		first, second int
		name          string
		questions     int
		each          time.Duration
		least, most   int // answers with the first
	}{
		{12, 12, "heavy", 4, slow, 4, 4}, // by weight the first is at 3, the second at 12
		{20, 5, "www", 6, slow, 0, 0},
		{5, 20, "www", 6, slow, 6, 6},
		{40, 10, "heavy", 10, slow, 6, 10}, // levels are equal by weight: 4 of 5, and what was learned of the steps before
		{12, 12, "www", 16, fast, 5, 11},   // levels are equal: in turn, but for what reports change meanwhile
	} {
		told(step.first, step.second)
		got := f.answers(step.name, step.questions, step.each)
		t.Logf("%d and %d connections: %s is answered %v", step.first, step.second, step.name, got)
		if n := got[socket]; n < step.least || n > step.most || got[socket]+got[csv] != step.questions {
			t.Errorf("%d and %d connections: %s is answered %v, want %s %d to %d times", step.first, step.second, step.name, got, socket, step.least, step.most)
		}
	}
	one.stop()
	two.stop()
	nginx.stop()
	f.until("shows that its sources are dead", func() error {
		all, err := f.services()
		if err != nil {
			return err
		}
		for _, name := range []string{"socket", "csv", "page", "stub"} {
			s := all[name]
			if s.LoadSource == nil || s.LoadSource.Failure == "" || s.Load == nil || s.Load.AgeSeconds < 1 {
				return fmt.Errorf("%s: source %+v, load %+v", name, s.LoadSource, s.Load)
			}
			if s.State != "UP" {
				t.Errorf("%s is %s (%s): its load source is dead, not the service", name, s.State, s.Reason)
			}
		}
		return nil
	})
	if got := f.answers("www", 2, 10*time.Millisecond); got[socket]+got[csv] != 2 {
		t.Errorf("after its sources died: %v", got)
	}
}
