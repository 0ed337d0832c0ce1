package config

import "slices"

// keepaliveIntervals is how many metrics intervals the keepalive timeout must cover, so that one lost frame ends nothing.
const keepaliveIntervals = 3

// probeKinds are the words of probe_order, in the order of the default.
func probeKinds() []string { return []string{"ping", "dns", "tcp"} }

func (c *checker) checkSettings() {
	mep := &c.doc.Settings.MEP
	const path = "/settings/mep/keepalive_timeout"
	if least := keepaliveIntervals * mep.MetricsInterval; mep.KeepaliveTimeout < least {
		c.problem(path, codeKeepaliveTimeout, "set at least "+least.String(), "keepalive_timeout %s is below three times metrics_interval (%s)",
			mep.KeepaliveTimeout, mep.MetricsInterval)
	}
	if d := &c.doc.Settings.Damping; d.Suppress > 0 && d.Reuse >= d.Suppress {
		path := "/settings/damping/reuse"
		if !c.page.present(path) {
			path = "/settings/damping/suppress"
		}
		c.problem(path, codeDamping, "lower it, or write suppress: 0 to keep nothing down", "reuse %d is not below suppress %d: a service would be kept DOWN and let in at once", d.Reuse, d.Suppress)
	}
	c.checkLDNS()
}

// checkLDNS checks how resolvers are measured.
func (c *checker) checkLDNS() {
	checkPrefixList(c.page, "/settings/ldns/probe_allow", c.doc.Settings.LDNS.ProbeAllow)
	checkPrefixList(c.page, "/settings/ldns/probe_deny", c.doc.Settings.LDNS.ProbeDeny)
	order := c.doc.Settings.LDNS.ProbeOrder
	c.limit("/settings/ldns/probe_order", "probes", len(order), len(probeKinds()))
	for i, kind := range order[:min(len(order), len(probeKinds()))] {
		path := at("settings", "ldns", "probe_order", i)
		if !slices.Contains(probeKinds(), kind) {
			c.problem(path, codeProbeKind, didYouMean(kind, probeKinds(), oneOf(probeKinds())), "unknown probe %s", quote(kind))
		} else if slices.Index(order, kind) < i {
			c.problem(path, codeProbeKind, "remove one of them", "probe %s stands twice", quote(kind))
		}
	}
}
