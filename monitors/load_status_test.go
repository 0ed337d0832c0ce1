package monitors

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/config"
	"fairlead/monitors/metric"
	"fairlead/monitors/source"
)

// TestSourceStatus: a source that fails says why, and when it was read last; and reads are counted by how they ended.
func TestSourceStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var conns atomic.Int64
		var answer atomic.Value
		answer.Store(page("200 OK", `{"active": 1, "members": 2}`))
		l := NewLoads(LoadOptions{Reader: reading(loadServer(&conns, func(*http.Request) string { return answer.Load().(string) }))})
		src := jsonSource("http://192.0.2.1/load")
		src.Fields.Members = "members"
		l.SetTargets([]source.Target{{Service: "web", Source: src}, {Service: "queue", Source: config.LoadSource{Source: config.LoadPush}}})
		if s, ok := l.Source("web"); !ok || !s.At.IsZero() || s.Failure != "" {
			t.Errorf("before the first read: got %+v, %t", s, ok)
		}
		if _, ok := l.Source("none"); ok {
			t.Error("a service without a source has one")
		}
		inBubble(t, l.Run, func() {
			time.Sleep(2500 * time.Millisecond)
			good, _ := l.Source("web")
			if good.Kind != config.LoadJSON || time.Since(good.At) > 2*time.Second || good.Failure != "" || good.Lacks != "" {
				t.Errorf("got %+v, want a fresh read", good)
			}
			answer.Store(page("200 OK", `{"active": 1}`))
			time.Sleep(1500 * time.Millisecond)
			if s, _ := l.Source("web"); !strings.Contains(s.Lacks, "members") || !s.At.After(good.At) {
				t.Errorf("got %+v, want that members are missing", s)
			}
			answer.Store(page("503 Service Unavailable", ""))
			before := time.Now()
			time.Sleep(3 * time.Second)
			if s, _ := l.Source("web"); !strings.Contains(s.Failure, "503") || s.At.After(before) || s.Lacks != "" {
				t.Errorf("got %+v, want a failure, and the age of before", s)
			}
		})
		c := l.Counts()
		if len(c) != 1 || c[0].Kind != config.LoadJSON || c[0].Whole < 2 || c[0].Part < 1 || c[0].Failures < 2 {
			t.Errorf("counts: got %+v", c)
		}
		var told metric.Metrics
		told.Set(metric.Active, 1)
		at := time.Now()
		if err := l.Push("queue", told, at); err != nil {
			t.Fatal(err)
		}
		if s, ok := l.Source("queue"); !ok || !s.At.Equal(at) {
			t.Errorf("pushed: got %+v, %t", s, ok)
		}
	})
}
