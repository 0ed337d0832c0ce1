package replica

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"go.uber.org/zap"

	"fairlead/config"
	"fairlead/config/revision"
)

// Limits of the search for something to serve in place of a document that does not compile.
const (
	// maxSubstituteRevisions is how many lines of the history are tried, newest first.
	maxSubstituteRevisions = 100
	// maxSubstituteTries is how often the document is tried with some objects left out; what was not tried by then stays out.
	maxSubstituteTries = 200
	// maxSubstituteNamed is how many of the objects that are left out people are told.
	maxSubstituteNamed = 10
)

// Substitute is what is served at a start in place of a document that is kept and does not compile, leniently neither. The kept one stays the
// one that counts: writes and merges are made from it, and the first one that compiles ends the substitution.
type Substitute struct {
	Candidate Candidate
	Objects   *config.Objects
	Revision  string             // of the history; empty: the document with objects left out
	LeftOut   []config.ObjectKey // by kind and name; empty with a revision
	Nothing   bool               // no part of the document compiles, and none before it: Objects have no names
	Text      string             // for people: what is served, in place of what, why, and what to do
}

// Mark says in the view of the document that counts what is served in place of it.
func (s *Substitute) Mark(v *revision.View) *revision.View {
	v.Inert, v.NotServed, v.Nothing = s.Candidate.Inert(), s.Text, s.Nothing
	return v
}

// Serve has it served in place of the document that counts, which v is of, and says so loudly.
func (s *Substitute) Serve(c Compiler, v *revision.View, log *zap.Logger, event func(name string, r *revision.Revision, text string)) {
	served := *v
	if served.Document, served.Objects = s.Objects.ID(), s.Objects; s.Revision != "" {
		served.Revision = s.Revision
	}
	c.Adopt(s.Candidate, &served)
	log.Error("config.substitute", zap.String("revision", v.Revision), zap.String("served", served.Revision), zap.Int("left_out", len(s.LeftOut)),
		zap.Bool("nothing", s.Nothing), zap.String("why", s.Text))
	event("config.substitute", &revision.Revision{ID: v.Revision}, s.Text)
}

// FindSubstitute finds what to serve in place of a document: the newest one of the history that compiles, else as much of the document as does.
// It is nil when nothing does. site is this one; without it nothing compiles.
func FindSubstitute(ctx context.Context, c Compiler, history Store, site, kept string, objects *config.Objects, why error) *Substitute {
	found := fromHistory(ctx, c, history, objects)
	if found == nil {
		found = withoutWorst(ctx, c, site, objects)
	}
	if found == nil {
		return nil
	}
	instead := "revision " + found.Revision
	if found.Revision == "" {
		names := make([]string, 0, maxSubstituteNamed)
		for _, k := range found.LeftOut[:min(len(found.LeftOut), maxSubstituteNamed)] {
			names = append(names, k.String())
		}
		instead = fmt.Sprintf("what is left of it without %d objects (%s)", len(found.LeftOut), strings.Join(names, ", "))
	}
	found.Text = fmt.Sprintf("revision %s, the last one that was kept, cannot be served: %s; %s is served in place of it, and nothing was thrown away: "+
		"mend the document, or go back with fairlead rollback", kept, firstLine(why), instead)
	return found
}

// ServeNothing is what a node starts with that has a document of which no part compiles, where the next one may come from elsewhere: this site alone,
// without a name that is answered. It is nil when that does not compile either.
func ServeNothing(ctx context.Context, c Compiler, site, kept string, objects *config.Objects, why error) *Substitute {
	own, err := config.NewObject(config.ObjectSite, site, []byte(`{"address": "127.0.0.1"}`)) // a site needs one; nobody is told of it
	if err != nil {
		return nil
	}
	bare := config.NewObjects([]*config.Object{own})
	tries := []*config.Objects{bare}
	if settings := objects.Get(config.ObjectKey{Kind: config.ObjectSettings}); settings != nil { // some of them count from a start on
		tries = []*config.Objects{bare.With([]*config.Object{settings}, nil), bare}
	}
	for _, next := range tries {
		if candidate, err := c.Compile(ctx, next, true); err == nil {
			return &Substitute{Candidate: candidate, Objects: next, Nothing: true, Text: fmt.Sprintf("revision %s cannot be served: %s; no part of it and no revision "+
				"before it can be either, so nothing is served, and the next revision that can be is: mend the document, or the site in the node file", kept, firstLine(why))}
		}
	}
	return nil
}

func firstLine(err error) string {
	first, _, more := strings.Cut(err.Error(), "\n")
	if more {
		first += " (and more)"
	}
	return first
}

// fromHistory finds the newest document of the history that compiles.
func fromHistory(ctx context.Context, c Compiler, history Store, kept *config.Objects) *Substitute {
	lines, err := history.History("", maxSubstituteRevisions)
	if err != nil {
		return nil
	}
	tried := map[string]bool{kept.ID(): true}
	for i := range lines {
		then, err := history.At(lines[i].View)
		if err != nil || ctx.Err() != nil {
			return nil // what is older cannot be had either
		}
		if id := then.ID(); then.Len() == 0 || tried[id] {
			continue
		} else {
			tried[id] = true
		}
		if candidate, err := c.Compile(ctx, then, true); err == nil {
			return &Substitute{Candidate: candidate, Objects: then, Revision: lines[i].View}
		}
	}
	return nil
}

// restoring puts objects back, as many as compile.
type restoring struct {
	compiler  Compiler
	tries     int
	objects   *config.Objects
	candidate Candidate
	left      []config.ObjectKey
}

// substituteOrder is the order in which objects are put back: what others name comes before them.
var substituteOrder = [...]config.ObjectKind{config.ObjectSettings, config.ObjectSite, config.ObjectFile, config.ObjectZone, config.ObjectView, config.ObjectViewOrder,
	config.ObjectLocation, config.ObjectMonitor, config.ObjectService, config.ObjectServiceGroup, config.ObjectVirtualServer}

// withoutWorst finds as much of a document as compiles: it begins with the own site, and puts back halves of the rest, and halves of those.
func withoutWorst(ctx context.Context, c Compiler, site string, objects *config.Objects) *Substitute {
	own := objects.Get(config.ObjectKey{Kind: config.ObjectSite, Name: site})
	if own == nil {
		return nil
	}
	r := restoring{compiler: c}
	if !r.put(ctx, []*config.Object{own}) {
		return nil
	}
	var rest []*config.Object
	for o := range objects.All {
		if o != own {
			rest = append(rest, o)
		}
	}
	slices.SortStableFunc(rest, func(a, b *config.Object) int {
		return cmp.Compare(slices.Index(substituteOrder[:], a.Key().Kind), slices.Index(substituteOrder[:], b.Key().Kind))
	})
	r.restore(ctx, rest)
	if len(r.left) == 0 {
		return nil // then the document itself would have compiled
	}
	slices.SortFunc(r.left, config.ObjectKey.Compare)
	return &Substitute{Candidate: r.candidate, Objects: r.objects, LeftOut: r.left}
}

func (r *restoring) restore(ctx context.Context, list []*config.Object) {
	switch {
	case len(list) == 0 || r.put(ctx, list):
	case len(list) == 1 || r.tries >= maxSubstituteTries:
		for _, o := range list {
			r.left = append(r.left, o.Key())
		}
	default:
		r.restore(ctx, list[:len(list)/2])
		r.restore(ctx, list[len(list)/2:])
	}
}

// put adds objects if the document compiles with them.
func (r *restoring) put(ctx context.Context, list []*config.Object) bool {
	if r.tries >= maxSubstituteTries || ctx.Err() != nil {
		return false
	}
	r.tries++
	next := config.NewObjects(list)
	if r.objects != nil {
		next = r.objects.With(list, nil)
	}
	candidate, err := r.compiler.Compile(ctx, next, true)
	if err != nil {
		return false
	}
	r.objects, r.candidate = next, candidate
	return true
}

// substitute has something else served than the document that counts, which does not compile.
func (e *Engine) substitute(ctx context.Context, objects *config.Objects, why error) error {
	s := FindSubstitute(ctx, e.opts.Compiler, e.opts.Store, e.opts.Site, e.state.ID(), objects, why)
	if s == nil {
		return fmt.Errorf("compile revision %.8s, the last one that was kept, and no part of it and no revision before it compiles either: %w", e.state.ID(), why)
	}
	e.instead, e.candidate = s, s.Candidate
	s.Serve(e.opts.Compiler, e.counting(objects), e.log, e.event)
	return nil
}

// counting makes a document the one that counts while another one is served in place of it.
func (e *Engine) counting(objects *config.Objects) *revision.View {
	v := e.instead.Mark(e.view(objects))
	e.current.Store(v)
	return v
}
