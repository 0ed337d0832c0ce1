package scenario

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"fairlead/gslb"
	"fairlead/mep"
	"fairlead/monitors"
	"fairlead/monitors/metric"
	"fairlead/sites"
)

// metrics are the keys of loads, beside active.
var metrics = map[string]metric.Metric{"response_time": metric.ResponseTime, "bandwidth": metric.Bandwidth, "packets": metric.Packets,
	"custom": metric.CustomLoad, "requests": metric.Requests, "members": metric.Members, "member_weight": metric.MemberWeight, "capacity": metric.Capacity}

// fillLoad reads the numbers of a load source.
func fillLoad(l *monitors.Load, n map[string]float64) error {
	_, active := n["active"]
	l.WithoutActive = !active
	for key, v := range n {
		metric, ok := metrics[key]
		switch {
		case ok:
			l.Metrics.Set(metric, v)
		case key != "active" && key != "age":
			return fmt.Errorf("no key %q of a load source", key)
		}
	}
	return nil
}

// views takes in what another site sees itself.
func (s *stage) views(words []string) error {
	r := &mep.ViewsReport{Peer: words[0], ReceivedAt: s.now}
	for part := range strings.SplitSeq(strings.Join(words[1:], " "), ";") {
		fields := strings.Fields(part)
		if len(fields) != 2 {
			return fmt.Errorf("%q: a service and its state", part)
		}
		r.Records = append(r.Records, mep.ViewRecord{Kind: mep.ViewOfService, Name: fields[0], State: wireStates[strings.ToLower(fields[1])]})
	}
	s.tracker.Peer(r, s.learned.Handed)
	s.publish()
	return nil
}

// latch notes which virtual servers went to their backup, as the node does after each snapshot.
func (s *stage) latch() {
	s.holds.Observe(s.doc, s.snapshot, s.now)
}

// override gives an operator's order. What it is about is a service, or else a site; or it says the kind: service-group/web.
func (s *stage) override(words []string) error {
	o := sites.Order{Kind: sites.OfService, Name: words[1], Owner: "ops", Reason: "story", For: sites.DefaultOverride}
	if _, ok := s.plan.ServiceByName(words[1]); !ok {
		o.Kind = sites.OfSite
	}
	for _, kind := range []sites.OverrideKind{sites.OfService, sites.OfServiceGroup, sites.OfSite, sites.OfVirtualServerUse} {
		if name, ok := strings.CutPrefix(words[1], kind.String()+"/"); ok {
			o.Kind, o.Name = kind, name
		}
	}
	for _, a := range []sites.OverrideAction{sites.Enable, sites.Disable, sites.Drain, sites.Clear} {
		if a.String() == words[0] {
			o.Action = a
		}
	}
	if o.Action == 0 {
		return errors.New("enable, disable, drain or clear?")
	}
	if len(words) > 2 {
		d, err := time.ParseDuration(words[2])
		if err != nil {
			return err
		}
		o.For = d
	}
	_, err := s.overrides.Give(o, s.now)
	s.publish()
	return err
}

// release returns a virtual server from its backup.
func (s *stage) release(words []string) error {
	_, err := s.overrides.Give(sites.Order{Kind: sites.OfVirtualServer, Name: words[0], Action: sites.Release, Owner: "ops", Reason: "story"}, s.now)
	s.publish()
	return err
}

// rtt tells what a site measured of a resolver.
func (s *stage) rtt(words []string) error {
	ldns, err := netip.ParseAddr(words[0])
	if err != nil {
		return err
	}
	d, err := time.ParseDuration(words[2])
	if err != nil {
		return err
	}
	s.learned.Resolvers.Measured(ldns, xxhash.Sum64String(words[1]), d, s.now.Unix())
	return nil
}

// push tells a measurement for method api.
func (s *stage) push(words []string) error {
	prefix, err := netip.ParsePrefix(words[0])
	if err != nil {
		return err
	}
	value, err := strconv.ParseFloat(words[2], 64)
	if err != nil {
		return err
	}
	lasts := time.Hour
	if len(words) > 3 {
		if lasts, err = time.ParseDuration(words[3]); err != nil {
			return err
		}
	}
	i, ok := s.plan.ServiceByName(words[1])
	if !ok {
		return fmt.Errorf("no service %q", words[1])
	}
	service := s.plan.Service(i).Hash
	values := []gslb.PushedValue{{Service: service, Value: value, Until: s.now.Add(lasts).Unix()}}
	s.learned.Pushed.Each(func(p netip.Prefix, old []gslb.PushedValue) bool {
		for _, v := range old {
			if p == prefix && v.Service != service {
				values = append(values, v)
			}
		}
		return true
	})
	return s.learned.Pushed.Set(prefix, values, s.now.Unix())
}
