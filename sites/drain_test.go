package sites

import (
	"fmt"
	"math"
	"net/netip"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/gslb"
	"fairlead/monitors"
)

func TestDrainEstimate(t *testing.T) {
	tests := []struct {
		name     string
		active   func(seconds float64) float64
		halfLife time.Duration // 0: none
		left     time.Duration // after a minute; -1: nobody can tell
	}{
		{"halves every 20 s", func(s float64) float64 { return 1024 * math.Exp2(-s/20) }, 20 * time.Second, 160 * time.Second},
		{"stays", func(float64) float64 { return 100 }, 0, -1},
		{"grows", func(s float64) float64 { return 100 + s }, 0, -1},
		{"none at once", func(float64) float64 { return 0 }, 0, 240 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := drain{since: epoch}
			load := gslb.Load{}
			for s := 0; s <= 60; s++ {
				load = gslb.Load{At: epoch.Add(time.Duration(s) * time.Second), Active: uint64(math.Round(tt.active(float64(s))))}
				d.note(&load)
				d.note(&load) // told twice
			}
			if len(d.samples) > maxDrainSamples {
				t.Errorf("%d samples are kept", len(d.samples))
			}
			half := d.halfLife()
			if diff := half - tt.halfLife; diff.Abs() > time.Second {
				t.Errorf("half-life %v, want %v", half, tt.halfLife)
			}
			got := DrainStatus{Since: epoch, Load: load, HalfLife: half, ResolversUntil: epoch.Add(5 * time.Minute)}
			if tt.halfLife > 0 {
				got.ResolversUntil = epoch
			}
			left, ok := got.Left(epoch.Add(time.Minute))
			if !ok {
				left = -1
			}
			if (left - tt.left).Abs() > 5*time.Second {
				t.Errorf("left %v, want about %v", left, tt.left)
			}
		})
	}
}

// TestDrains: resolvers may hold answers for the longest TTL of the domains that lead to the service, by way of a backup too.
func TestDrains(t *testing.T) {
	s := newScene(t, "ams", func(d *config.Document) {
		d.Zones = []config.Zone{{Name: "example.com", TTL: config.Duration(30 * time.Second)}}
		ttl := config.Duration(2 * time.Minute)
		d.Services[0].Load = &config.LoadSource{Source: config.LoadPush}
		d.VirtualServers = []config.VirtualServer{
			{Name: "web", MaxAnswers: 1, Domains: []config.Domain{{Name: "www.example.com"}}, Members: []config.Member{{Service: "svc", Weight: 1, Order: 1}}},
			{Name: "front", MaxAnswers: 1, Backup: "web", Domains: []config.Domain{{Name: "front.example.com", TTL: &ttl}}},
			{Name: "else", MaxAnswers: 1, Domains: []config.Domain{{Name: "else.example.com", TTL: new(config.Duration(time.Hour))}}},
		}
		for i := range d.VirtualServers {
			d.VirtualServers[i].Method, d.VirtualServers[i].BackupMethod = config.RoundRobin, config.RoundRobin
		}
	})
	s.tr.opts.Overrides = NewOverrides(OverridesOptions{Site: "ams"})
	s.believed()
	if got := s.tr.Drains(); got != nil {
		t.Errorf("nothing drains, but there is %+v", got)
	}
	mustGive(t, s.tr.opts.Overrides, order(OfService, "svc", Drain), s.now)
	s.believed()
	s.do("wait=1s")
	s.tr.Load(monitors.Load{Service: "svc", Active: 3, At: s.now}, noneHanded)
	s.believed()
	got := s.tr.Drains()["svc"]
	if !got.Since.Equal(epoch) || !got.ResolversUntil.Equal(epoch.Add(2*time.Minute)) || got.Load.Active != 3 {
		t.Errorf("got %+v, want since %v, resolvers until two minutes later, 3 connections", got, epoch)
	}
	next := *s.doc
	next.VirtualServers = append([]config.VirtualServer{}, s.doc.VirtualServers[:1]...)
	s.set(&next)
	s.believed()
	if got := s.tr.Drains()["svc"]; !got.Since.Equal(epoch) || !got.ResolversUntil.Equal(epoch.Add(30*time.Second)) {
		t.Errorf("after a reload: %+v, want since %v, resolvers until 30 s later", got, epoch)
	}
	mustGive(t, s.tr.opts.Overrides, order(OfService, "svc", Clear), s.now)
	s.believed()
	if got := s.tr.Drains(); got != nil {
		t.Errorf("it drains no more, but there is %+v", got)
	}
}

// TestManyDrain: a site that drains does not hold up what is decided meanwhile. A walk over all virtual servers for each service
// would take a minute.
func TestManyDrain(t *testing.T) {
	const many = 10_000
	s := newScene(t, "ams", func(d *config.Document) {
		d.Zones = []config.Zone{{Name: "example.com", TTL: config.Duration(30 * time.Second)}}
		d.Services, d.VirtualServers = nil, nil
		for i := range many {
			name := fmt.Sprintf("s%d", i)
			d.Services = append(d.Services, config.Service{Name: name, Site: "ams", Port: 80, State: config.ServiceDraining,
				Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})}})
			d.VirtualServers = append(d.VirtualServers, config.VirtualServer{Name: "v" + name, Method: config.RoundRobin, BackupMethod: config.RoundRobin,
				MaxAnswers: 1, Domains: []config.Domain{{Name: name + ".example.com"}}, Members: []config.Member{{Service: name, Weight: 1, Order: 1}}})
		}
	})
	s.tr.Status(s.now, noneHanded)
	began := time.Now()
	for range 5 {
		if got := len(s.tr.Drains()); got != many {
			t.Fatalf("%d drain, want %d", got, many)
		}
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("five looks took %v", took)
	}
}
