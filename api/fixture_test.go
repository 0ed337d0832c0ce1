package api

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/zap"

	"fairlead/adns"
	"fairlead/adns/sketch"
	"fairlead/adns/transfer"
	"fairlead/api/resource"
	"fairlead/config"
	"fairlead/gslb"
	"fairlead/mep"
	"fairlead/monitors"
	"fairlead/monitors/ldns"
	"fairlead/monitors/metric"
	"fairlead/sites"
)

const testDocument = `
zones:
  - name: gslb.example.com
    nameservers: [ns1.gslb.example.com]
    records: |
      ns1   3600 A     192.0.2.53
      text  300  TXT   "served by	every site"
      alias 300  CNAME www
sites:
  - name: ams
    address: 192.0.2.10
    location: {place: EU.NL.NH.Amsterdam, latitude: 52.37, longitude: 4.90}
  - {name: nyc, address: 198.51.100.10}
  - {name: tyo, address: 203.0.113.10}
monitors:
  - {name: web-ok, type: tcp}
services:
  - {name: web-nyc, site: nyc, addresses: [198.51.100.80, "2001:db8:b::80"], port: 80, monitors: [web-ok]}
  - {name: web-ams, site: ams, addresses: ["2001:db8:a::80", 192.0.2.80], port: 80, monitors: [web-ok], load: {source: push}}
  - {name: api-ams, site: ams, addresses: [192.0.2.81], load: {source: json, url: "http://192.0.2.81/load", path: active}}
  - {name: old-nyc, site: nyc, addresses: [198.51.100.99], state: disabled}
  - {name: web-tyo, site: tyo, addresses: [203.0.113.80], load: {source: push}}
  - {name: cdn-tyo, site: tyo, cname: edge.example.net}
virtual_servers:
  - name: web
    domains: [{name: www.gslb.example.com, ttl: 20s}]
    method: round-robin
    members: [{service: web-ams}, {service: web-nyc}]
    backup: spare
    backup_hold: true
  - name: spare
    method: round-robin
    members: [{service: old-nyc}]
  - name: near
    domains: [{name: near.gslb.example.com}]
    method: source-ip-hash
    members: [{service: web-ams}, {service: web-nyc}]
  - name: measured
    domains: [{name: measured.gslb.example.com}]
    method: api
    client_subnet: true
    members: [{service: web-ams}, {service: web-nyc}]
  - name: api
    domains: [{name: api.gslb.example.com}]
    method: least-connection
    max_answers: 2
    members: [{service: web-ams}, {service: api-ams}]
`

// fixture is a node that is not running: its State and all that is pushed to it.
type fixture struct {
	state   *State
	options Options
	handler http.Handler

	mu     sync.Mutex
	pushed []pushedLoad
}

type pushedLoad struct {
	service string
	active  uint64
	told    metric.Metrics
	at      time.Time
}

// digestOf is how a node tells others which document it has.
func digestOf(id string) (d [32]byte) {
	copy(d[:], id)
	return d
}

// newFixture returns the handler of a node of site ams. change may alter the options before it is made.
func newFixture(t testing.TB, change func(*Options)) *fixture {
	t.Helper()
	f := &fixture{}
	f.state = newState(t)
	f.state.Sites = []sites.SiteStatus{{Reach: sites.ReachHere}, {Reach: sites.ReachHeard, Via: "nyc", Since: time.Now().Add(-time.Minute)}, {Reach: sites.ReachNever}}
	f.options = Options{
		Site: "ams", Version: "1.2.3", Logger: zap.NewNop(),
		State:         func() *State { return f.state },
		Peers:         func() []mep.PeerStatus { return testPeers(f.state) },
		MEPEndings:    func() map[mep.Ending]uint64 { return map[mep.Ending]uint64{mep.EndOneWay: 2} },
		MEPRejections: func() map[mep.Rejection]uint64 { return map[mep.Rejection]uint64{mep.RejectTLS: 3} },
		DNSStats: func() adns.Stats {
			s := adns.Stats{Truncated: 5}
			s.Streams[adns.TCP].Open, s.Streams[adns.TLS].HandshakeErrors = 2, 6
			s.Queries[adns.UDP], s.Queries[adns.TCP], s.Rcodes[0], s.Rcodes[16] = 100, 10, 104, 1
			s.Types[adns.TypeAAAA], s.Paths[adns.Fast], s.Dnstap.Dropped, s.QueryLog.Written = 30, 90, 8, 9
			l := &s.Latency[adns.UDP]
			l.Buckets[0], l.Buckets[1], l.Buckets[adns.LatencyBounds], l.Sum = 2, 3, 1, 2500*time.Millisecond
			return s
		},
		TransferStats: func() transfer.Stats {
			return transfer.Stats{Whole: 11, Incremental: 12, Current: 13, Refused: 14, Failed: 15, Notified: 16, Unanswered: 17}
		},
		Secondaries: testSecondaries,
		Geo:         testGeo,
		ResolverCounts: func() ResolverExchange {
			return ResolverExchange{Probes: ldns.Stats{Silent: 2, Waiting: 1}, Passive: 5, Told: 9}
		},
		ProbeStats: func() monitors.Stats { return monitors.Stats{Targets: 4, Done: 70, Late: 1} },
		PushLoad:   f.push,
		Headroom: func() []resource.Headroom {
			left := 0.25
			return []resource.Headroom{{Lost: "nyc", Ratio: &left, Worst: "web-ams"}}
		},
		Sketch:     func() sketch.View { return testSketch(f.state.Since) },
		SketchSize: func() (int, uint64) { return 3, 4 },
		Peak: func() resource.ConnectionHistory {
			return resource.ConnectionHistory{Connections: 24, Now: 12, At: f.state.Since}
		},
		Ready: func() []Check { return []Check{{Name: "dns", OK: true, Detail: "listening"}} },
	}
	if change != nil {
		change(&f.options)
	}
	h, err := New(f.options)
	if err != nil {
		t.Fatal(err)
	}
	f.handler = h
	return f
}

// push is a load source as monitors.Loads has it: web-ams takes reports.
func (f *fixture) push(service string, told metric.Metrics, at time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	active, _ := told.Get(metric.Active)
	switch {
	case told.Empty():
		return monitors.ErrNothingTold
	case service != "web-ams":
		return monitors.ErrNotPushed
	case active == 666:
		return errors.New("disk on fire")
	case len(f.pushed) > 0 && at.Before(f.pushed[len(f.pushed)-1].at):
		return monitors.ErrOutdated
	}
	f.pushed = append(f.pushed, pushedLoad{service, uint64(active), told, at})
	return nil
}

func newState(t testing.TB) *State {
	t.Helper()
	return newStateOf(t, testDocument, testStatus)
}

// newStateOf is newState with another document and belief.
func newStateOf(t testing.TB, text string, status func(*gslb.Plan, time.Time) *gslb.Status) *State {
	t.Helper()
	source := config.Source{Name: "test.yaml", Text: []byte(text)}
	doc, report := config.Parse(source)
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	plan, err := gslb.Compile(doc, gslb.CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	zones, err := adns.CompileZones(doc, plan)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	learned := gslb.NewLearned(plan)
	learned.Sessions = gslb.NewSessions(gslb.SessionOptions{Max: 1000})
	learned.Resolvers = gslb.NewResolvers(gslb.ResolverOptions{Prefix4: 24, Max: 500, Timeout: 3 * time.Minute})
	snapshot := gslb.NewSnapshot(7, plan, status(plan, now), nil)
	return &State{
		Snapshot: &adns.Snapshot{Generation: 7, Zones: zones, GSLB: snapshot, Learned: learned},
		Document: doc, DocumentID: source.ID(), DocumentSource: "test.yaml", Since: now.Add(-time.Hour),
	}
}

func testStatus(plan *gslb.Plan, now time.Time) *gslb.Status {
	status := &gslb.Status{At: now, Services: make([]gslb.ServiceStatus, plan.Services())}
	set := func(name string, s gslb.ServiceStatus) {
		i, ok := plan.ServiceByName(name)
		if !ok {
			panic(name)
		}
		s.Since = now.Add(-time.Minute)
		status.Services[i] = s
	}
	seen := now.Add(-3 * time.Second)
	set("web-ams", gslb.ServiceStatus{State: gslb.Up, Without6: true, Reason: "connected in 2 ms", Source: "monitor web-ok", Seen: seen,
		Load: gslb.Load{Active: 12, At: seen, PerAnswer: 2, Expected: 4, Source: "push"},
		Measures: &gslb.Measures{ResponseTime: gslb.Measure{Value: 0.25, At: seen.Add(time.Second), Source: "push"},
			Bandwidth: gslb.Measure{Value: 5e6, At: seen, PerAnswer: 1e5, Expected: -1e5, Source: "push"}}})
	set("web-nyc", gslb.ServiceStatus{State: gslb.Up, Reason: "connected in 80 ms", Source: "monitor web-ok", Seen: seen})
	told := gslb.Measure{Value: 7, At: seen, Source: "json"}
	set("api-ams", gslb.ServiceStatus{State: gslb.Up, Reason: "no monitor is bound", Source: "assumed", Seen: seen, Measures: &gslb.Measures{
		Requests: told, Packets: told, Custom: told, Members: told, MemberWeight: told, Capacity: told}})
	set("old-nyc", gslb.ServiceStatus{State: gslb.Disabled, Reason: "disabled by the operator", Source: "operator", Seen: seen})
	set("web-tyo", gslb.ServiceStatus{State: gslb.Down, Reason: "site tyo is not heard, and no monitor is bound", Source: "mep tyo", Doubt: gslb.DoubtPeerLost})
	return status
}

// testSecondaries has a zone that is fine, one that was never had, one that fails and is served, and one that expired.
func testSecondaries() []transfer.SecondaryStatus {
	now := time.Now()
	return []transfer.SecondaryStatus{
		{Zone: "a.example.", Serial: 1<<32 - 1, Confirmed: now.Add(-time.Minute), Served: true},
		{Zone: "b.example.", Failure: "192.0.2.1:53: connection refused"},
		{Zone: "c.example.", Confirmed: now.Add(-time.Hour), Served: true, Failure: "192.0.2.1:53: rcode REFUSED"},
		{Zone: "d.example.", Serial: 7, Confirmed: now.Add(-1000 * time.Hour), Failure: "192.0.2.2:53: timeout"},
	}
}

func testPeers(st *State) []mep.PeerStatus {
	now := time.Now()
	return []mep.PeerStatus{
		{Site: "nyc", Address: "198.51.100.10", State: mep.PeerUp, Since: now.Add(-time.Minute), Sessions: 2, Node: "nyc-1", Version: 1,
			Digest: digestOf(st.DocumentID), LastHeard: now.Add(-500 * time.Millisecond), Measured: true, RTT: 80 * time.Millisecond,
			ClockSkew: -2 * time.Millisecond, BytesIn: 1000, BytesOut: 2000},
		{Site: "tyo", Address: "203.0.113.10", State: mep.PeerDown, Since: now.Add(-2 * time.Minute), LastError: "connection refused",
			LastErrorAt: now.Add(-time.Second)},
	}
}

func newRequest(method, path string) *http.Request {
	r := httptest.NewRequest(method, "http://127.0.0.1:8053"+path, http.NoBody)
	r.RemoteAddr = "127.0.0.1:40000"
	return r
}

func newRecorder() *httptest.ResponseRecorder { return httptest.NewRecorder() }

// request sends one request the way a local program does.
func (f *fixture) request(method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://127.0.0.1:8053"+target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		} else {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	r.RemoteAddr = "127.0.0.1:40000"
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	return w
}

// get decodes a 200.
func get[T any](t *testing.T, f *fixture, target string) (out T) {
	t.Helper()
	w := f.request(http.MethodGet, target, "")
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("GET %s = %d %s %s", target, w.Code, w.Header().Get("Content-Type"), w.Body)
	}
	decode(t, w.Body, &out)
	return out
}

// decode refuses keys that the resource does not have.
func decode(t *testing.T, r io.Reader, v any) {
	t.Helper()
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Fatal(err)
	}
}

// refusal decodes a problem and checks what all problems have.
func refusal(t *testing.T, w *httptest.ResponseRecorder) resource.Problem {
	t.Helper()
	if ct := w.Header().Get("Content-Type"); ct != "application/problem+json" {
		t.Fatalf("content type %q, want a problem: %d %s", ct, w.Code, w.Body)
	}
	var p resource.Problem
	decode(t, w.Body, &p)
	if p.Status != w.Code || p.Title != http.StatusText(w.Code) || p.Type != "about:blank" || p.Detail == "" {
		t.Errorf("problem of status %d is %+v", w.Code, p)
	}
	return p
}

// places lists a problem's faults as "pointer code".
func places(p resource.Problem) []string {
	var out []string
	for _, f := range p.Errors {
		out = append(out, f.Pointer+" "+f.Code)
	}
	return out
}

// sameAddress lets cmp compare addresses, which hide their fields.
func sameAddress() cmp.Option { return cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}) }
