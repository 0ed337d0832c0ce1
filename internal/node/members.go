package node

import (
	"cmp"

	"fairlead/config"
	"fairlead/mep"
	"fairlead/monitors"
	"fairlead/monitors/metric"
)

// Passive monitors go by how many usable servers there are behind a service: this node's own load sources tell it, and for services of
// other sites these do.

// setProbes has the monitors of a document run. Services that it disables are left out, unless enabled names them.
func (n *Node) setProbes(doc *config.Document, enabled map[string]bool) {
	probed, calculated := monitors.Outline(doc, probeTargets(doc, n.opts.Config.Site, enabled))
	n.probes.SetTargets(probed, calculated...)
}

// tellMembers tells passive monitors of a load that was read here, or pushed.
func (p *publisher) tellMembers(l *monitors.Load) {
	if l.Err != nil {
		return
	}
	if members, ok := l.Metrics.Get(metric.Members); ok {
		p.node.probes.Members(l.Service, members, l.At)
	}
}

// hearMembers tells passive monitors of another site's report. A site speaks for its own services only. It is called by the exchange,
// not by the publisher, which it may have to wait for.
func (n *Node) hearMembers(r *mep.ServicesReport) {
	state := n.State()
	if state == nil {
		return
	}
	plan, of := state.Snapshot.GSLB.Plan, cmp.Or(r.Site, r.Peer)
	for i := range r.Records {
		record := &r.Records[i]
		if record.Has&mep.HasMembersBehind == 0 {
			continue
		}
		if index, ok := plan.ServiceByName(record.Name); ok && plan.Service(index).Site == of {
			n.probes.Members(record.Name, float64(record.MembersBehind), r.ReceivedAt.Add(-r.Age-record.LoadAge))
		}
	}
}
