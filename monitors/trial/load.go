package trial

import (
	"context"
	"errors"
	"fmt"
	"time"

	"fairlead/config"
	"fairlead/monitors"
	"fairlead/monitors/metric"
	"fairlead/monitors/probe"
	"fairlead/monitors/reason"
	"fairlead/monitors/source"
)

// ErrNoLoad: the service has no load source.
var ErrNoLoad = errors.New("the service has no load source")

// Read is what one read of a load source gave.
type Read struct {
	Service string
	Source  *config.LoadSource
	// Metrics is all that it told: totals as they are, of which two reads make a rate.
	Metrics metric.Metrics
	Parts   []source.Part // of Source.Custom, at their places
	Steps   []probe.Step
	Took    time.Duration
	// Lacks is what was looked for and is not there, Failure why nothing was told; empty: all is well.
	Lacks, Failure string
}

// Load reads the load source of a service once. Errors wrap ErrNoService or ErrNoLoad. A push source is not read: Failure says so.
func (t *Trials) Load(ctx context.Context, doc *config.Document, service string) (*Read, error) {
	s := serviceOf(doc, service)
	switch {
	case s == nil:
		return nil, fmt.Errorf("read load of service %q: %w", service, ErrNoService)
	case s.Load == nil:
		return nil, fmt.Errorf("read load of service %q: %w", service, ErrNoLoad)
	case s.Load.Source == config.LoadPush:
		return &Read{Service: service, Source: s.Load, Failure: "nothing is read: the load is pushed"}, nil
	}
	told, took, err := t.read(ctx, s)
	out := &Read{Service: service, Source: s.Load, Took: took}
	if err != nil {
		out.Failure = err.Error()
		return out, nil
	}
	out.Metrics, out.Parts, out.Steps = monitors.ReadOnce(&source.Target{Service: s.Name, Source: *s.Load}, told), told.Parts, told.Notes
	if told.Lacks != nil {
		out.Lacks = reason.Printable(told.Lacks.Error())
	}
	return out, nil
}

// read reads the source of a service. The error is in words for people.
func (t *Trials) read(ctx context.Context, s *config.Service) (source.Reading, time.Duration, error) {
	began := time.Now()
	timeout := source.Timeout(s.Load)
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	defer t.opts.Reader.Close() // the next one shows a connect, too
	told, err := t.opts.Reader.Read(limited, &source.Target{Service: s.Name, Source: *s.Load, Addresses: s.Addresses, Port: uint16(s.Port)})
	took := time.Since(began)
	if err != nil {
		return source.Reading{}, took, errors.New(reason.Describe(err, time.Now(), timeout))
	}
	return told, took, nil
}

// membersNow is how many usable servers the load source of a target's service tells.
func (b *bench) membersNow(ctx context.Context, r *result) (float64, time.Time, error) {
	s := serviceOf(b.doc, r.target.Service)
	switch {
	case s == nil || s.Load == nil:
		return 0, time.Time{}, errors.New("the service has no load source: decides nothing")
	case s.Load.Source == config.LoadPush:
		members, at, ok := b.opts.Members(s.Name)
		if !ok {
			return 0, at, errors.New("no report yet: decides nothing")
		}
		return members, at, nil
	}
	told, took, err := b.read(ctx, s)
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("load source %s: %w: decides nothing", s.Load.Source, err)
	}
	r.got.Steps = append(told.Notes, probe.Step{Name: "load", At: took, Note: "read from " + string(s.Load.Source)})
	members, ok := told.Get(metric.Members)
	if !ok {
		return 0, time.Time{}, fmt.Errorf("load source %s tells no members: decides nothing", s.Load.Source)
	}
	return members, time.Now(), nil
}
