package node

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"go.uber.org/zap"

	"fairlead/api"
	"fairlead/api/resource"
	"fairlead/config"
	"fairlead/gslb"
	"fairlead/monitors/probe"
	"fairlead/monitors/trial"
)

func lookup(ctx context.Context, name string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
}

// tellMonitors has the API tell of this node's monitors and load sources, and try them on demand.
func (n *Node) tellMonitors(o *api.Options, p *probe.Prober) {
	o.Trials = trial.New(trial.Options{Prober: p, Reader: n.reach.reader(), Lookup: lookup, Members: n.membersTold})
	o.Verdicts, o.MonitoredServices, o.ProbeStats, o.ProbeCounts = n.probes.Verdicts, n.probes.Services, n.probes.Stats, p.Counts
	o.LoadSource, o.LoadCounts, o.PushLoad = n.loads.Source, n.loads.Counts, n.loads.Push
}

// membersTold is how many servers behind a service its load told last.
func (n *Node) membersTold(service string) (float64, time.Time, bool) {
	st := n.State()
	if st == nil {
		return 0, time.Time{}, false
	}
	i, ok := st.Snapshot.GSLB.Plan.ServiceByName(service)
	if !ok {
		return 0, time.Time{}, false
	}
	m := measuresOf(st.Snapshot.GSLB.Status, i)
	return m.Value, m.At, !m.At.IsZero()
}

func measuresOf(s *gslb.Status, i gslb.ServiceIndex) gslb.Measure {
	if m := s.Services[i].Measures; m != nil {
		return m.Members
	}
	return gslb.Measure{}
}

// Workbench runs monitors and reads load sources of a document without a node: with the rights of this process, and within what a node file
// lets them reach.
type Workbench struct {
	trials   *trial.Trials
	document *config.Document
}

// ErrNotFound: the document has no such monitor or service, or the service no load source.
var ErrNotFound = errors.New("not found")

// NewWorkbench returns a Workbench. c is the node file's; nil: one with the default of every key.
func NewWorkbench(c *config.Node, document *config.Document) *Workbench {
	if c == nil {
		c = &config.Node{Probes: *config.SectionOf[config.NodeProbes](nil)}
	}
	r := newReach(&Options{Config: c}, zap.NewNop())
	return &Workbench{trials: trial.New(trial.Options{Prober: r.prober(), Reader: r.reader(), Lookup: lookup}), document: document}
}

// Monitor runs a monitor once, as trial.Trials does. An error may be ErrNotFound.
func (w *Workbench) Monitor(ctx context.Context, monitor string, q resource.MonitorQuestion) (*resource.MonitorTest, error) {
	got, err := w.trials.Monitor(ctx, w.document, trial.Question{Monitor: monitor, Service: q.Service, Target: q.Target})
	if err != nil {
		return nil, missing(err)
	}
	return api.ShowTrial(got, time.Now()), nil
}

// Load reads a load source once. An error may be ErrNotFound.
func (w *Workbench) Load(ctx context.Context, service string) (*resource.LoadTest, error) {
	got, err := w.trials.Load(ctx, w.document, service)
	if err != nil {
		return nil, missing(err)
	}
	return api.ShowRead(got, time.Now()), nil
}

// missing lets callers tell what is not there.
func missing(err error) error {
	if errors.Is(err, trial.ErrNoMonitor) || errors.Is(err, trial.ErrNoService) || errors.Is(err, trial.ErrNoLoad) {
		return &notFound{err}
	}
	return err
}

// notFound is an ErrNotFound in the words of another error.
type notFound struct{ error }

func (*notFound) Is(target error) bool { return target == ErrNotFound }
func (n *notFound) Unwrap() error      { return n.error }
