package agree

import (
	"fmt"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"fairlead/config"
	"fairlead/gslb"
	"fairlead/mep"
	"fairlead/sites"
)

// View is what a site answers by at one moment. Nothing in it is written to.
type View struct {
	DocumentID [32]byte         // the same at sites with the same document
	Document   *config.Document // that Snapshot's plan was compiled from
	Since      time.Time        // when that was
	Snapshot   *gslb.Snapshot
	Overrides  []mep.OverrideRecord // all that are known
	Files      []File               // location files in use, in the order of precedence
}

// File is a location file.
type File struct {
	Name   string    // the same at all sites: without its directory
	Digest uint64    // of its content
	Size   int64     // octets
	Made   time.Time // when its data was made, or the file was written
	Loaded time.Time // when this node read it
}

// face is a View in tables: what can be compared with another site's. It is immutable.
type face struct {
	at     time.Time
	view   View
	order  *order
	tables [topics]table
}

// order is what follows from a plan alone.
type order struct {
	plan      *gslb.Plan
	sample    *gslb.Sample
	services  table // without values
	loads     table
	questions table
}

func newOrder(doc *config.Document, plan *gslb.Plan) *order {
	o := &order{plan: plan, sample: gslb.NewSample(doc, plan)}
	for i := range uint32(plan.Services()) {
		s := plan.Service(gslb.ServiceIndex(i))
		o.services = append(o.services, entry{key: s.Hash, at: i})
		if s.ComparesLoad() {
			o.loads = append(o.loads, entry{key: s.Hash, at: i})
		}
	}
	for i := range uint32(o.sample.Questions()) {
		o.questions = append(o.questions, entry{key: o.sample.Question(int(i)).Key, at: i})
	}
	for _, t := range []table{o.services, o.loads, o.questions} {
		t.sort()
	}
	return o
}

// newFace makes the tables of a view. prev, which may be nil, is the face before: what did not change is taken from it.
func newFace(v View, prev *face, now time.Time) *face {
	f := &face{at: now, view: v}
	same := prev != nil && prev.order.plan == v.Snapshot.Plan
	if same {
		f.order = prev.order
	} else {
		f.order = newOrder(v.Document, v.Snapshot.Plan)
	}
	status := v.Snapshot.Status
	if f.tables[topicServices] = stateTable(f.order.services, status); same && slices.Equal(f.tables[topicServices], prev.tables[topicServices]) {
		f.tables[topicServices] = prev.tables[topicServices]
		before := prev.view.Snapshot.Status
		same = slices.Equal(status.Held, before.Held) && slices.Equal(status.Ordered, before.Ordered)
	} else {
		same = false
	}
	f.tables[topicLoads] = f.loadTable()
	f.tables[topicOverrides] = overrideTable(v.Overrides)
	f.tables[topicLocations] = fileTable(v.Files)
	if same {
		f.tables[topicDecisions] = prev.tables[topicDecisions]
		return f
	}
	c := v.Snapshot.Canonical(f.order.sample)
	decisions := slices.Clone(f.order.questions)
	for i := range decisions {
		d := c.Decide(int(decisions[i].at))
		decisions[i].value = c.Digest(&d)
	}
	f.tables[topicDecisions] = decisions
	return f
}

const (
	without4 = 1 << 8
	without6 = 1 << 9
)

// stateTable has as values the states of services.
func stateTable(keys table, status *gslb.Status) table {
	out := slices.Clone(keys)
	for i := range out {
		s := &status.Services[out[i].at]
		out[i].value = uint64(s.State)
		if s.Without4 {
			out[i].value |= without4
		}
		if s.Without6 {
			out[i].value |= without6
		}
	}
	return out
}

// loadTable has as values whether loads are fresh: 1.
func (f *face) loadTable() table {
	out, status := slices.Clone(f.order.loads), f.view.Snapshot.Status
	for i := range out {
		reported := status.Services[out[i].at].Reported()
		limit := f.order.plan.Service(gslb.ServiceIndex(out[i].at)).LoadFresh()
		if !reported.IsZero() && status.At.Sub(reported) <= limit {
			out[i].value = 1
		}
	}
	return out
}

func overrideTable(records []mep.OverrideRecord) table {
	var out table
	for i := range records {
		r := &records[i]
		if a := sites.OverrideAction(r.Action); a == sites.Clear || a == sites.Release {
			continue
		}
		out = append(out, entry{key: mix(xxhash.Sum64String(r.Name), uint64(r.Kind)), at: uint32(i),
			value: mix(mix(r.Revision, uint64(r.Action)), xxhash.Sum64String(r.Site))})
	}
	out.sort()
	return out
}

func fileTable(files []File) table {
	var out table
	number := map[string]uint64{} // of files with one name
	for i, f := range files {
		out = append(out, entry{key: mix(xxhash.Sum64String(f.Name), number[f.Name]), at: uint32(i), value: f.Digest})
		number[f.Name]++
	}
	out.sort()
	return out
}

// digest is what the face tells other sites.
func (f *face) digest() mep.DecisionsDigest {
	d := mep.DecisionsDigest{Document: f.view.DocumentID, Decisions: f.tables[topicDecisions].sum().hash}
	for _, p := range f.tables[topicDecisions].parts(span{}) {
		d.Buckets = append(d.Buckets, p.hash)
	}
	for _, t := range f.tables[topicServices:] {
		d.Causes = append(d.Causes, t.sum().hash)
	}
	return d
}

// items tells what is in a span, at most leafItems of it.
func (f *face) items(t topic, s span) []item {
	in := f.tables[t].in(s)
	out := make([]item, 0, min(len(in), leafItems))
	for _, e := range in[:min(len(in), leafItems)] {
		i := item{key: e.key, value: e.value}
		switch t {
		case topicDecisions:
			f.decisionItem(&i, int(e.at))
		case topicServices:
			f.serviceItem(&i, gslb.ServiceIndex(e.at))
		case topicOverrides:
			r := &f.view.Overrides[e.at]
			i.age = seconds(r.Age)
			i.name = fmt.Sprintf("%s of %s %s", sites.OverrideAction(r.Action), sites.OverrideKind(r.Kind), r.Name)
			i.detail = fmt.Sprintf("given by %s at %s: %s", r.Owner, r.Site, r.Reason)
		case topicLocations:
			file := &f.view.Files[e.at]
			i.age = seconds(f.at.Sub(file.Loaded))
			i.name, i.detail = file.Name, fmt.Sprintf("%d octets of %s, digest %016x", file.Size, file.Made.UTC().Format(time.DateOnly), file.Digest)
		case topicLoads:
			f.loadItem(&i, gslb.ServiceIndex(e.at))
		}
		out = append(out, i)
	}
	return out
}

func (f *face) decisionItem(i *item, at int) {
	name, family, client := f.order.sample.Text(at)
	i.name = fmt.Sprintf("%s %s for %s", name, family, client)
	c := f.view.Snapshot.Canonical(f.order.sample)
	d := c.Decide(at)
	i.detail = c.Describe(&d)
	changed := c.Changed(at)
	if f.view.Since.After(changed) {
		changed = f.view.Since
	}
	i.age = seconds(f.at.Sub(changed))
}

func (f *face) serviceItem(i *item, at gslb.ServiceIndex) {
	s, svc := &f.view.Snapshot.Status.Services[at], f.order.plan.Service(at)
	i.name, i.age = svc.Name, seconds(f.at.Sub(s.Since))
	i.detail = s.State.String()
	if s.Without4 {
		i.detail += " without IPv4"
	}
	if s.Without6 {
		i.detail += " without IPv6"
	}
	if s.Reason != "" {
		i.detail += " (" + s.Reason + ")"
	}
}

func (f *face) loadItem(i *item, at gslb.ServiceIndex) {
	i.name, i.age, i.detail = f.order.plan.Service(at).Name, never, "not known"
	if reported := f.view.Snapshot.Status.Services[at].Reported(); !reported.IsZero() {
		i.age = seconds(f.at.Sub(reported))
		i.detail = fmt.Sprintf("%d s old", i.age)
	}
}

// seconds is an age in an item.
func seconds(age time.Duration) uint32 {
	return uint32(min(max(age/time.Second, 0), never-1))
}
