package monitors

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"fairlead/config"
	"fairlead/monitors/metric"
	"fairlead/monitors/probe"
	"fairlead/monitors/source"
)

// loadLog collects loads. Safe for concurrent use.
type loadLog struct {
	mu  sync.Mutex
	all []Load
}

func (l *loadLog) add(got Load) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, got)
}

func (l *loadLog) of(service string) []Load {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []Load
	for _, got := range l.all {
		if got.Service == service {
			out = append(out, got)
		}
	}
	return out
}

// loadServer serves every connection in memory with handle, as often as requests come. It counts connections.
func loadServer(conns *atomic.Int64, handle func(*http.Request) string) probe.DialFunc {
	return func(context.Context, string, string) (net.Conn, error) {
		conns.Add(1)
		near, far := net.Pipe()
		go func() {
			defer far.Close()
			r := bufio.NewReader(far)
			for {
				req, err := http.ReadRequest(r)
				if err != nil {
					return
				}
				if _, err := io.WriteString(far, handle(req)); err != nil {
					return
				}
			}
		}()
		return near, nil
	}
}

func page(status, body string) string {
	return fmt.Sprintf("HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body)
}

func jsonSource(url string) config.LoadSource {
	return config.LoadSource{Source: config.LoadJSON, URL: url, Path: "active",
		Interval: config.Duration(time.Second), Timeout: config.Duration(time.Second)}
}

func TestLoadsReadAndAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var conns, active atomic.Int64
		var broken atomic.Bool
		loads := &loadLog{}
		core, logs := observer.New(zap.InfoLevel)
		l := NewLoads(LoadOptions{Load: loads.add, Logger: zap.New(core), Reader: reading(loadServer(&conns,
			func(r *http.Request) string {
				switch {
				case broken.Load():
					return page("503 Service Unavailable", "")
				case r.URL.Path == "/stats;csv":
					return page("200 OK", haproxyPage)
				}
				return page("200 OK", fmt.Sprintf(`{"active": %d}`, active.Add(1)))
			}))})
		l.SetTargets([]source.Target{
			{Service: "app", Source: jsonSource("http://192.0.2.1:8081/load")},
			{Service: "web", Source: config.LoadSource{Source: config.LoadHAProxy, URL: "http://192.0.2.1:8404/stats;csv", Backend: "web",
				Interval: config.Duration(time.Second), Timeout: config.Duration(time.Second)}},
			{Service: "pushed", Source: config.LoadSource{Source: config.LoadPush}},
		})
		inBubble(t, l.Run, func() {
			time.Sleep(10 * time.Second)
			broken.Store(true)
			time.Sleep(5 * time.Second)
			broken.Store(false)
			time.Sleep(5 * time.Second)
		})

		for _, service := range []string{"app", "web"} {
			good, bad := 0, 0
			for _, got := range loads.of(service) {
				switch {
				case got.Err != nil:
					bad++
					if want := "read load of service \"" + service + "\" from " + got.Source + ": status 503, want 200"; got.Err.Error() != want {
						t.Errorf("error %q, want %q", got.Err, want)
					}
				case service == "web" && got.Active != 5 || got.Active == 0 || got.At.IsZero():
					t.Errorf("%s: load %+v", service, got)
				default:
					good++
				}
			}
			if good < 13 || good > 16 || bad < 4 || bad > 6 {
				t.Errorf("%s: %d good and %d bad reads, want about 15 and 5", service, good, bad)
			}
		}
		if n := len(loads.of("pushed")); n != 0 {
			t.Errorf("%d reads of a push source", n)
		}
		if n := conns.Load(); n != 2 {
			t.Errorf("%d connections, want 2 that are kept", n)
		}
		if st := l.Stats(); st.Targets != 2 {
			t.Errorf("stats %+v, want 2 targets", st)
		}
		counts := map[string]int{}
		for _, e := range logs.All() {
			counts[e.Message]++
		}
		if counts["load.read"] != 4 || counts["load.failed"] != 2 || len(counts) != 2 {
			t.Errorf("log lines %v, want only changes: 4 load.read, 2 load.failed", counts)
		}
	})
}

func TestLoadsRemovalDropsLateResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		loads := &loadLog{}
		l := NewLoads(LoadOptions{Load: loads.add, Reader: reading(func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})})
		src := jsonSource("http://192.0.2.1/")
		src.Interval, src.Timeout = config.Duration(time.Minute), config.Duration(30*time.Second)
		l.SetTargets([]source.Target{{Service: "app", Source: src}})
		inBubble(t, l.Run, func() {
			time.Sleep(2 * time.Second)
			l.SetTargets(nil)
			synctest.Wait()
			if st := l.Stats(); st.Targets != 0 || st.Running != 0 {
				t.Errorf("stats %+v, want nothing left", st)
			}
		})
		if n := len(loads.of("app")); n != 0 {
			t.Errorf("%d loads of a removed target", n)
		}
	})
}

func TestLoadsTimeOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var conns atomic.Int64
		loads := &loadLog{}
		l := NewLoads(LoadOptions{Load: loads.add, Reader: reading(loadServer(&conns, func(*http.Request) string {
			time.Sleep(3 * time.Second)
			return page("200 OK", `{"active": 1}`)
		}))})
		src := jsonSource("http://192.0.2.1/")
		src.Interval, src.Timeout = config.Duration(10*time.Second), config.Duration(2*time.Second)
		l.SetTargets([]source.Target{{Service: "app", Source: src}})
		inBubble(t, l.Run, func() { time.Sleep(5 * time.Second) })
		all := loads.of("app")
		if len(all) != 1 || all[0].Err == nil || !strings.HasSuffix(all[0].Err.Error(), ": timed out after 2s") {
			t.Errorf("loads %+v, want one that timed out after 2s", all)
		}
		time.Sleep(5 * time.Second) // until the server has noticed
	})
}

func TestLoadsPush(t *testing.T) {
	loads := &loadLog{}
	l := NewLoads(LoadOptions{Load: loads.add})
	l.SetTargets([]source.Target{
		{Service: "app", Source: config.LoadSource{Source: config.LoadPush}},
		{Service: "web", Source: jsonSource("http://192.0.2.1/")},
	})
	at := time.Unix(1000, 0)
	steps := []struct {
		name, service string
		active        float64
		at            time.Time
		want          error
	}{
		{"first", "app", 5, at, nil},
		{"same time", "app", 6, at, nil},
		{"earlier", "app", 7, at.Add(-time.Second), ErrOutdated},
		{"later", "app", 8, at.Add(time.Second), nil},
		{"most", "app", metric.MaxActive, at.Add(time.Second), nil},
		{"too many", "app", metric.MaxActive + 2, at.Add(time.Hour), metric.ErrRange},
		{"read, not pushed", "web", 1, at, ErrNotPushed},
		{"unknown", "shop", 1, at, ErrNotPushed},
	}
	for _, s := range steps {
		before := len(loads.of("app"))
		var told metric.Metrics
		told.Set(metric.Active, s.active)
		if err := l.Push(s.service, told, s.at); !errors.Is(err, s.want) {
			t.Errorf("%s: error %v, want %v", s.name, err, s.want)
		}
		all := loads.of("app")
		if s.want != nil {
			if len(all) != before {
				t.Errorf("%s: a refused report was handed on", s.name)
			}
			continue
		}
		want := Load{Service: "app", Active: uint64(s.active), At: s.at, Source: "push"}
		if len(all) != before+1 || all[before] != want {
			t.Errorf("%s: loads %+v, want one more: %+v", s.name, all[before:], want)
		}
	}
}

// TestPushMetrics: totals become rates, a custom load is made as the document says, and the last report is the whole.
func TestPushMetrics(t *testing.T) {
	loads := &loadLog{}
	l := NewLoads(LoadOptions{Load: loads.add})
	l.SetTargets([]source.Target{
		{Service: "app", Source: config.LoadSource{Source: config.LoadPush}},
		{Service: "made", Source: config.LoadSource{Source: config.LoadPush, Custom: []config.CustomMetric{{Name: "n", Metric: config.MetricActive, Weight: 1, Threshold: 50}}}},
	})
	at := time.Unix(1000, 0)
	push := func(service string, after time.Duration, values map[metric.Metric]float64) Load {
		t.Helper()
		var told metric.Metrics
		for m, v := range values {
			told.Set(m, v)
		}
		if err := l.Push(service, told, at.Add(after)); err != nil {
			t.Fatal(err)
		}
		all := loads.of(service)
		return all[len(all)-1]
	}
	first := push("app", 0, map[metric.Metric]float64{metric.BytesTotal: 1000, metric.Packets: 7, metric.ResponseTime: 0.25, metric.CustomLoad: 0.5})
	if _, ok := first.Metrics.Get(metric.Bandwidth); ok || !first.WithoutActive || first.Active != 0 {
		t.Errorf("first report: %+v, want neither connections nor bandwidth", first)
	}
	if v, ok := first.Metrics.Get(metric.CustomLoad); !ok || v != 0.5 {
		t.Errorf("custom load as pushed: %v %t, want 0.5", v, ok)
	}
	second := push("app", 2*time.Second, map[metric.Metric]float64{metric.BytesTotal: 3000, metric.Active: 4})
	if v, ok := second.Metrics.Get(metric.Bandwidth); !ok || v != 8000 || second.WithoutActive || second.Active != 4 {
		t.Errorf("second report: %+v, want 4 connections and 8000 bit/s", second)
	}
	if _, ok := second.Metrics.Get(metric.Packets); ok {
		t.Errorf("second report: %+v, want no packets: it did not tell them", second)
	}
	both := push("app", 3*time.Second, map[metric.Metric]float64{metric.BytesTotal: 9000, metric.Bandwidth: 5})
	if v, _ := both.Metrics.Get(metric.Bandwidth); v != 5 {
		t.Errorf("a rate beside a total: %v, want the rate, 5", v)
	}
	made := push("made", 0, map[metric.Metric]float64{metric.Active: 25, metric.CustomLoad: 9})
	if v, _ := made.Metrics.Get(metric.CustomLoad); v != 0.5 {
		t.Errorf("custom load that the document makes: %v, want 0.5", v)
	}
	var empty, bad metric.Metrics
	if err := l.Push("app", empty, at.Add(time.Hour)); !errors.Is(err, ErrNothingTold) {
		t.Errorf("empty report: %v", err)
	}
	bad.Set(metric.CustomLoad, math.NaN())
	if err := l.Push("app", bad, at.Add(time.Hour)); !errors.Is(err, metric.ErrRange) || !strings.Contains(err.Error(), "custom is NaN") {
		t.Errorf("not a number: %v", err)
	}
}

// TestReadMetrics: a source whose answer lacks something tells the rest, and the log says once what is missing.
func TestReadMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var conns, requests atomic.Int64
		loads := &loadLog{}
		core, logs := observer.New(zap.InfoLevel)
		l := NewLoads(LoadOptions{Load: loads.add, Logger: zap.New(core), Reader: reading(loadServer(&conns, func(*http.Request) string {
			n := requests.Add(1)
			if n > 10 {
				return page("200 OK", `{"act": 3, "ms": 20, "n": 0, "cpu": 40}`)
			}
			return page("200 OK", fmt.Sprintf(`{"act": 3, "ms": 20, "n": %d}`, n*5))
		}))})
		src := jsonSource("http://192.0.2.1/")
		src.Path, src.Fields = "", config.LoadFields{Active: "act", ResponseTimeMS: "ms", RequestsTotal: "n"}
		src.Custom = []config.CustomMetric{{Name: "cpu", Path: "cpu", Weight: 1, Threshold: 80}}
		l.SetTargets([]source.Target{{Service: "app", Source: src}})
		inBubble(t, l.Run, func() {
			time.Sleep(10 * time.Second)
			l.SetTargets([]source.Target{{Service: "app", Source: src}}) // an equal source goes on
			time.Sleep(5 * time.Second)
		})
		all := loads.of("app")
		if len(all) < 13 {
			t.Fatalf("%d reads in 15 s", len(all))
		}
		got := all[9]
		rate, ok := got.Metrics.Get(metric.Requests)
		ms, _ := got.Metrics.Get(metric.ResponseTime)
		if got.Err != nil || got.Active != 3 || ms != 0.02 || !ok || rate < 4.5 || rate > 5.5 {
			t.Errorf("tenth read: %+v, want 3 connections, 20 ms and about 5 requests a second", got)
		}
		if _, ok := got.Metrics.Get(metric.CustomLoad); ok {
			t.Errorf("tenth read: %+v, want no custom load without its part", got)
		}
		if _, ok := all[10].Metrics.Get(metric.Requests); ok {
			t.Errorf("read after the counter began anew: %+v, want no rate", all[10])
		}
		if custom, _ := all[10].Metrics.Get(metric.CustomLoad); custom != 0.5 {
			t.Errorf("custom load %v, want 0.5", custom)
		}
		if first := logs.All()[0]; first.Message != "load.incomplete" || !strings.Contains(fmt.Sprint(first.ContextMap()["error"]), `"cpu"`) {
			t.Errorf("first log line %v %v, want load.incomplete that names cpu", first.Message, first.ContextMap())
		}
		if n := logs.Len(); n != 2 {
			t.Errorf("%d log lines, want 2: %v", n, logs.All())
		}
	})
}

const haproxyPage = `# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis,status,
web,BACKEND,0,0,5,12,26213,1031,88211,921180,0,0,,0,0,0,0,UP,
`

// reading is a Reader whose connections are opened by dial.
func reading(dial probe.DialFunc) *source.Reader {
	return source.New(source.Options{DialContext: dial})
}
