package sites

import (
	"fmt"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/gslb"
	"fairlead/mep"
)

// Of the largest mesh that the protocol is made for.
const (
	manySites    = 16_384
	manyServices = 4 // of each
)

// large returns a tracker of a parent that hears manySites children, and the report that each repeats.
func large(tb testing.TB, sites int) (*Tracker, []*mep.ServicesReport) {
	tb.Helper()
	doc := &config.Document{Sites: []config.Site{{Name: "p"}, {Name: "q"}}}
	m := &doc.Settings.MEP
	m.KeepaliveTimeout, m.MetricsInterval, m.ParentTimeout = config.Duration(10*time.Second), config.Duration(time.Second), config.Duration(10*time.Second)
	doc.Settings.Suspicion = config.SuspicionSettings{Share: 50, Targets: 3, Window: config.Duration(30 * time.Second), Longest: config.Duration(10 * time.Minute)}
	doc.Settings.Damping = config.DampingSettings{HalfLife: config.Duration(time.Minute), Suppress: 3000, Reuse: 1000, MaxSuppress: config.Duration(5 * time.Minute)}
	reports := make([]*mep.ServicesReport, sites)
	for i := range sites {
		name := fmt.Sprintf("site%05d", i)
		doc.Sites = append(doc.Sites, config.Site{Name: name, Parent: "p", BackupParents: []string{"q"}})
		reports[i] = &mep.ServicesReport{Peer: name, Site: name, ReceivedAt: epoch}
		for j := range manyServices {
			service := fmt.Sprintf("%s-%d", name, j)
			doc.Services = append(doc.Services, config.Service{Name: service, Site: name, State: config.ServiceEnabled, CNAME: "x.example", Load: &config.LoadSource{Source: config.LoadPush}})
			reports[i].Records = append(reports[i].Records, mep.ServiceRecord{Name: service, State: mep.StateUp, Reason: "monitor web-ok passes",
				Has: mep.HasActiveConnections | mep.HasLoadAge | mep.HasEvidenceAge, ActiveConnections: uint64(i)})
		}
	}
	plan, err := gslb.Compile(doc, gslb.CompileOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	t := New(Options{Site: "p"})
	t.SetDocument(doc, plan, epoch)
	for i := range reports {
		t.Peer(&mep.SessionUp{Peer: reports[i].Site, At: epoch}, noneHanded)
		t.Peer(reports[i], noneHanded)
	}
	t.Status(epoch, noneHanded)
	return t, reports
}

// TestAReportCostsBySite: a report that changes nothing allocates nothing, however many sites there are.
func TestAReportCostsBySite(t *testing.T) {
	tr, reports := large(t, 1000)
	now := epoch
	allocs := testing.AllocsPerRun(100, func() {
		now = now.Add(time.Second)
		reports[7].ReceivedAt = now
		if tr.Peer(reports[7], noneHanded) {
			t.Error("the same report again changed belief")
		}
	})
	if allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
	shown := tr.Sites()
	if again := tr.Sites(); &again[0] != &shown[0] {
		t.Error("sites are listed anew although nothing changed")
	}
	tr.Peer(&mep.SessionDown{Peer: reports[7].Site, At: now}, noneHanded)
	if got := tr.Sites()[9]; got.Reach != ReachLost || got.Learning.IsZero() {
		t.Errorf("after its session ended: %+v", got)
	}
}

func BenchmarkStatusOfAll(b *testing.B) {
	tr, _ := large(b, manySites)
	now := epoch
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Second)
		tr.Status(now, noneHanded)
	}
}

func BenchmarkReport(b *testing.B) {
	tr, reports := large(b, manySites)
	now, i := epoch, 0
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Second / manySites)
		r := reports[i%manySites]
		r.ReceivedAt = now
		tr.Peer(r, noneHanded)
		i++
	}
}

func BenchmarkAllParentsReconnect(b *testing.B) {
	tr, reports := large(b, manySites)
	now := epoch
	for b.Loop() {
		now = now.Add(time.Second)
		for _, r := range reports {
			tr.Peer(&mep.SessionDown{Peer: r.Site, At: now}, noneHanded)
		}
		for _, r := range reports {
			r.ReceivedAt = now
			tr.Peer(&mep.SessionUp{Peer: r.Site, At: now}, noneHanded)
			tr.Peer(r, noneHanded)
		}
	}
}
