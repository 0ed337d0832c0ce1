package api

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"fairlead/api/resource"
	"fairlead/sites/agree"
)

func (r *resources) agreed() []agree.PeerStatus {
	if r.Agreements == nil {
		return nil
	}
	return r.Agreements()
}

// withAgreement adds to a site how its answers compare with this node's.
func withAgreement(s resource.Site, all []agree.PeerStatus) resource.Site {
	if i := slices.IndexFunc(all, func(p agree.PeerStatus) bool { return p.Site == s.Name }); i >= 0 {
		s.Agreement = agreementOf(&all[i])
	}
	return s
}

func agreementOf(p *agree.PeerStatus) *resource.Agreement {
	out := &resource.Agreement{State: string(p.State), Since: p.Since.UTC()}
	if !p.Compared.IsZero() {
		out.ComparedAt = p.Compared.UTC()
	}
	for _, f := range p.Findings {
		d := resource.Disagreement{Cause: string(f.Cause), More: f.More, Objects: []resource.DisagreementItem{}}
		for _, o := range f.Objects {
			d.Objects = append(d.Objects, resource.DisagreementItem{Name: o.Name, Detail: o.Text})
		}
		out.Causes = append(out.Causes, d)
	}
	return out
}

// agreementMetrics are how other sites' answers compare with this node's.
func (r *resources) agreementMetrics() prometheus.Collector {
	g := &group{}
	agrees := g.gauge("fairlead_mep_agreement", "1 while the site answers as this node does, 0 while it does not; absent while nothing is compared.", "peer")
	differs := g.counter("fairlead_mep_disagreements_total", "How often something came to be a cause of different answers.", "peer", "cause")
	g.collect = func(out chan<- prometheus.Metric) {
		for _, p := range r.agreed() {
			if p.State != agree.Unknown {
				agrees.send(out, boolean(p.State == agree.Agrees), p.Site)
			}
			for cause, n := range p.Disagreements {
				differs.send(out, float64(n), p.Site, string(cause))
			}
		}
	}
	return g
}
