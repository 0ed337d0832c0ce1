package sites

import (
	"math"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/gslb"
	"fairlead/mep"
	"fairlead/monitors"
	"fairlead/monitors/metric"
)

// busyScene is a scene whose service has a load source.
func busyScene(t *testing.T, owner string) *scene {
	return newScene(t, owner, func(d *config.Document) {
		d.Services[0].Load = &config.LoadSource{Source: config.LoadPush, Interval: config.Duration(time.Second)}
	})
}

var toldMetrics = map[metric.Metric]float64{metric.Requests: 1234, metric.ResponseTime: 0.25, metric.Bandwidth: 5e9, metric.Packets: 77,
	metric.CustomLoad: 0.7, metric.Members: 4, metric.MemberWeight: 40, metric.Capacity: 5000}

func loadOf(at time.Time, values map[metric.Metric]float64) monitors.Load {
	l := monitors.Load{Service: "svc", Active: 3, At: at, Source: "push"}
	for m, v := range values {
		l.Metrics.Set(m, v)
	}
	return l
}

// TestMetricsReachTheOtherSite: every metric is in the records, and comes out of them with its age and its source.
func TestMetricsReachTheOtherSite(t *testing.T) {
	ams := busyScene(t, "ams")
	ams.tr.Load(loadOf(epoch, toldMetrics), noneHanded)
	snapshot := gslb.NewSnapshot(1, ams.tr.plan, ams.tr.Status(epoch, noneHanded), nil)
	records := Records(snapshot, "ams", epoch.Add(2*time.Second))

	nyc := busyScene(t, "ams")
	nyc.tr.opts.Site = "nyc"
	nyc.set(nyc.doc)
	nyc.tr.Peer(&mep.SessionUp{Peer: "ams", At: epoch}, noneHanded)
	nyc.tr.Peer(&mep.ServicesReport{Peer: "ams", Records: records, ReceivedAt: epoch.Add(3 * time.Second), Age: time.Second / 2}, noneHanded)
	got := nyc.tr.Status(epoch.Add(3*time.Second), noneHanded).Services[0]
	if got.Load.Active != 3 || got.Measures == nil {
		t.Fatalf("status at the other site: %+v", got)
	}
	for i := range metering {
		kind := &metering[i]
		m := kind.of(got.Measures)
		if want := toldMetrics[kind.metric]; m.Value != want || m.Source != "mep ams" || !m.At.Equal(epoch.Add(time.Second/2)) {
			t.Errorf("%s: got %+v, want %v of mep ams, 2.5 s old", kind.metric, *m, want)
		}
	}
}

// TestWhatWasNotToldIsNotSent: one age holds for a whole record.
func TestWhatWasNotToldIsNotSent(t *testing.T) {
	s := busyScene(t, "ams")
	s.tr.Load(loadOf(epoch, toldMetrics), noneHanded)
	later := monitors.Load{Service: "svc", WithoutActive: true, At: epoch.Add(time.Second), Source: "push"}
	later.Metrics.Set(metric.CustomLoad, 0.9999)
	s.tr.Load(later, noneHanded)
	now := epoch.Add(time.Second)
	status := s.tr.Status(now, noneHanded)
	if l := status.Services[0].Load; l.Active != 3 || !l.At.Equal(epoch) {
		t.Errorf("connections that were not told again: %+v, want 3 of a second ago", l)
	}
	if m := status.Services[0].Measures; m.Packets.Value != 77 || !m.Packets.At.Equal(epoch) || m.Custom.Value != 0.9999 {
		t.Errorf("measures %+v", m)
	}
	r := Records(gslb.NewSnapshot(1, s.tr.plan, status, nil), "ams", now)[0]
	if r.Has != mep.HasCustomLoad|mep.HasLoadAge|mep.HasEvidenceAge || r.LoadAge != 0 || r.CustomLoad != 999 {
		t.Errorf("record %+v, want the custom load alone, rounded down", r)
	}
}

func TestCustomLoadOnTheWire(t *testing.T) {
	for _, v := range []float64{0, 0.001, 0.29, 0.57, 0.7, 0.999, 1, 1.001, 2.3, 4.35, 1e6, 123456.789} {
		var r mep.ServiceRecord
		toWire(&r, mep.HasCustomLoad, v)
		if got := fromWire(&r, mep.HasCustomLoad); got != v {
			t.Errorf("%v comes out as %v: a threshold of %v would be judged otherwise", v, got, v)
		}
		toWire(&r, mep.HasCustomLoad, math.Nextafter(v, 0)-1e-4*v)
		if got := fromWire(&r, mep.HasCustomLoad); v > 0 && got >= v {
			t.Errorf("less than %v comes out as %v", v, got)
		}
	}
}

func TestHostileRecord(t *testing.T) {
	s := busyScene(t, "nyc")
	s.do("session=up")
	r := mep.ServiceRecord{Name: "svc", State: mep.StateUp, Has: math.MaxUint16, ActiveConnections: math.MaxUint64, BitsPerSecond: math.MaxUint64,
		CustomLoad: math.MaxUint64, Capacity: math.MaxUint64, ResponseTime: mep.MaxAge, LoadAge: mep.MaxAge}
	for i := range 5 {
		r.LoadAge = time.Duration(5-i) * time.Hour
		s.tr.Peer(&mep.ServicesReport{Peer: "nyc", Records: []mep.ServiceRecord{r}, ReceivedAt: s.now}, func(gslb.ServiceIndex) uint64 { return uint64(i * 1000) })
		got := s.tr.Status(s.now, func(gslb.ServiceIndex) uint64 { return uint64(i*1000 + 500) }).Services[0]
		if got.Load.Active > metric.MaxActive || math.IsNaN(got.Load.Expected) || math.IsInf(got.Measures.Bandwidth.PerAnswer, 0) || got.Measures.Custom.Value > metric.MaxActive {
			t.Fatalf("status %+v, %+v", got.Load, got.Measures)
		}
	}
}

// TestAnswersSinceTheMeasurement: a report that is seconds old when it arrives does not know of the answers of those seconds.
func TestAnswersSinceTheMeasurement(t *testing.T) {
	s := busyScene(t, "nyc")
	s.do("session=up")
	handed := uint64(0)
	count := func(gslb.ServiceIndex) uint64 { return handed }
	for range 100 { // ten answers a second for ten seconds
		s.tr.Status(s.now, count)
		s.now, handed = s.now.Add(100*time.Millisecond), handed+1
	}
	s.tr.Peer(&mep.ServicesReport{Peer: "nyc", ReceivedAt: s.now, Records: []mep.ServiceRecord{{Name: "svc", State: mep.StateUp,
		Has: mep.HasActiveConnections | mep.HasLoadAge, ActiveConnections: 40, LoadAge: 3300 * time.Millisecond}}}, count)
	l := s.tr.Status(s.now, count).Services[0].Load
	if l.Handed < 66 || l.Handed > 68 || math.Abs(l.Expected-33) > 1.5 {
		t.Errorf("load %+v, want 67 answers that the report knew of, and 33 connections expected", l)
	}
}

// TestRatesCountAnswersOfTheirWindow: of a rate over 14 s the answers of its second half are hardly seen.
func TestRatesCountAnswersOfTheirWindow(t *testing.T) {
	s := busyScene(t, "ams")
	handed := uint64(0)
	count := func(gslb.ServiceIndex) uint64 { return handed }
	for i := range 600 {
		if i%10 == 0 {
			s.tr.Load(loadOf(s.now, map[metric.Metric]float64{metric.Bandwidth: 7e6, metric.CustomLoad: 7}), count)
		}
		s.tr.Status(s.now, count)
		s.now, handed = s.now.Add(100*time.Millisecond), handed+1
	}
	b := s.tr.services[0].busy
	if bandwidth := float64(handed) - b.others[2].handed; metering[2].metric != metric.Bandwidth || bandwidth < 75 || bandwidth > 85 {
		t.Errorf("%v answers since the middle of the bandwidth's window, want about 80", bandwidth)
	}
	if custom := float64(handed) - b.others[4].handed; metering[4].metric != metric.CustomLoad || custom > 11 {
		t.Errorf("%v answers since the custom load was reported, want 10", custom)
	}
	if m := s.tr.Status(s.now, count).Services[0].Measures; m.Bandwidth.PerAnswer <= 0 || math.Abs(m.Bandwidth.Expected) > 2e6 {
		t.Errorf("steady bandwidth: %+v, want something for each answer, and little change", m.Bandwidth)
	}
}

// TestPatience: answers of a snapshot level differences by the part of the time that they are kept for.
func TestPatience(t *testing.T) {
	for _, tt := range []struct {
		kept, interval time.Duration
		want           float64
	}{{0, time.Second, 1}, {5 * time.Second, 100 * time.Millisecond, 200}, {5 * time.Second, time.Second, 20}, {time.Hour, time.Second, 60},
		{time.Second, 0, 40}, {time.Second, time.Hour, 1}} {
		if got := patience(tt.kept, tt.interval); got != tt.want {
			t.Errorf("kept %v, every %v: got %v, want %v", tt.kept, tt.interval, got, tt.want)
		}
	}
}

func TestAnswersKept(t *testing.T) {
	ttl := config.Duration(7 * time.Second)
	s := newScene(t, "ams", func(d *config.Document) {
		d.Zones = []config.Zone{{Name: "example.com", TTL: config.Duration(20 * time.Second)}}
		for _, name := range []string{"b", "c"} {
			d.Services = append(d.Services, config.Service{Name: name, Site: "ams", Addresses: d.Services[0].Addresses})
		}
		member := func(names ...string) (out []config.Member) {
			for _, n := range names {
				out = append(out, config.Member{Service: n, Weight: 1, Order: 1})
			}
			return out
		}
		d.VirtualServers = []config.VirtualServer{
			{Name: "one", Method: config.RoundRobin, BackupMethod: config.RoundRobin, Backup: "three", MaxAnswers: 1, Domains: []config.Domain{{Name: "one.example.com", TTL: &ttl}}, Members: member("svc", "b")},
			{Name: "two", Method: config.RoundRobin, BackupMethod: config.RoundRobin, MaxAnswers: 1, Domains: []config.Domain{{Name: "two.example.com"}}, Members: member("b")},
			{Name: "three", Method: config.RoundRobin, BackupMethod: config.RoundRobin, MaxAnswers: 1, Members: member("c")},
		}
	})
	got := answersKept(s.doc, s.tr.plan)
	if got["svc"] != 7*time.Second || got["b"] != 20*time.Second || got["c"] != usualTTL {
		t.Errorf("got %v, want 7 s, 20 s, and 30 s by way of a backup", got)
	}
}
