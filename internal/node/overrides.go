package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.uber.org/zap"

	"fairlead/config"
	"fairlead/gslb"
	"fairlead/internal/wholefile"
	"fairlead/mep"
	"fairlead/sites"
)

const (
	// overridesName is the file of the data directory that keeps overrides.
	overridesName = "overrides.json"
	// sessionsCounted is the least time between two counts of the sessions of services that drain.
	sessionsCounted = 5 * time.Second
)

// orders keeps what operators want for a time: in a file, and at all sites.
type orders struct {
	*sites.Overrides
	path    string // empty: it is not kept
	log     *zap.Logger
	changed chan struct{} // capacity 1: something did
	tell    func()        // when it did
}

// newOrders returns the orders of the last run.
func newOrders(n *Node) *orders {
	o := &orders{log: n.log, changed: make(chan struct{}, 1)}
	o.Overrides = sites.NewOverrides(sites.OverridesOptions{Site: n.opts.Config.Site, Changed: o.note, Heard: n.tellOverride, Logger: n.log})
	o.tell = func() {
		n.publisher.refresh()
		if n.exchange != nil {
			n.exchange.AnnounceOverrides()
		}
	}
	if n.opts.Source != nil {
		return o
	}
	o.path = filepath.Join(n.opts.Config.DataDir, overridesName)
	if err := o.restore(time.Now()); err != nil {
		o.log.Error("override.file_unusable", zap.Error(err), zap.String("then", "there are no overrides until other sites tell of them; the file is replaced with the next one"))
	}
	return o
}

// note remembers a change. It does not wait: the publisher itself may be the one who makes it.
func (o *orders) note() {
	select {
	case o.changed <- struct{}{}:
	default:
	}
}

func (o *orders) restore(now time.Time) error {
	f, err := os.Open(o.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if err := o.Restore(f, now); err != nil {
		return fmt.Errorf("read %q: %w", o.path, err)
	}
	return nil
}

// run keeps and tells changes until ctx ends.
func (o *orders) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-o.changed:
			o.save()
			o.tell()
		}
	}
}

// flush keeps a change that came after run ended.
func (o *orders) flush() {
	select {
	case <-o.changed:
		o.save()
	default:
	}
}

func (o *orders) save() {
	if o.path == "" {
		return
	}
	if err := wholefile.Write(o.path, 0o600, o.Save); err != nil {
		o.log.Error("override.not_kept", zap.Error(err), zap.String("then", "overrides are lost at a restart, unless another site has them"))
	}
}

// records is what other sites are told of overrides.
func (o *orders) records() []mep.OverrideRecord { return o.Records(time.Now()) }

// enabled returns the services that the document disables and an override enables: they are probed like others.
func (o *orders) enabled(doc *config.Document, now time.Time) map[string]bool {
	out := map[string]bool{}
	for i := range doc.Services {
		s := &doc.Services[i]
		if s.State != config.ServiceDisabled {
			continue
		}
		if order, ok := o.For(s.Name, s.Group, s.Site, now); ok && order.Action != sites.Disable {
			out[s.Name] = true
		}
	}
	return out
}

// sight is what this node sees itself of others, for the exchange's goroutine.
type sight struct {
	at      time.Time
	records []mep.ViewRecord
}

// sameAs reports whether another one says the same of the same, whatever its age.
func (s *sight) sameAs(other *sight) bool {
	if s == nil || other == nil {
		return s == other
	}
	return slices.EqualFunc(s.records, other.records, func(a, b mep.ViewRecord) bool {
		a.Age, b.Age = 0, 0
		return a == b
	})
}

// views is what other sites are told of them.
func (n *Node) views() []mep.ViewRecord {
	s := n.sight.Load()
	if s == nil {
		return nil
	}
	older := time.Since(s.at)
	out := make([]mep.ViewRecord, len(s.records))
	for i, r := range s.records {
		r.Age += older
		out[i] = r
	}
	return out
}

// operate brings what operators want into a status: who is held on a backup or out of use, and who has to be probed.
func (p *publisher) operate(status *gslb.Status, now time.Time) {
	n := p.node
	status.Held = p.holds.Held(p.in.document, p.in.plan)
	status.Ordered = n.orders.Ordered(p.in.document, p.in.plan, now)
	if enabled := n.orders.enabled(p.in.document, now); !maps.Equal(enabled, p.probed) {
		p.probed = enabled
		n.setProbes(p.in.document, enabled)
	}
	n.sight.Store(&sight{now, p.tracker.Views(now)})
}

// drains returns how far the services have come that drain. The sessions that still point to them are counted every few
// seconds only: there may be millions.
func (p *publisher) drains(now time.Time) map[string]sites.DrainStatus {
	out := p.tracker.Drains()
	if len(out) == 0 {
		p.sessions = nil
		return nil
	}
	if p.learned.Sessions == nil {
		return out
	}
	if p.sessions == nil || now.Sub(p.counted) >= sessionsCounted {
		p.sessions, p.counted = make(map[uint64]int, len(out)), now
		at := now.Unix()
		p.learned.Sessions.Each(func(_ gslb.SessionKey, service uint64, until int64) bool {
			if until > at {
				p.sessions[service]++
			}
			return true
		})
	}
	for name, d := range out {
		if i, ok := p.in.plan.ServiceByName(name); ok {
			count := p.sessions[p.in.plan.Service(i).Hash]
			d.Sessions = &count
			out[name] = d
		}
	}
	return out
}
