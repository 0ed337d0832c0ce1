package adns

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"fairlead/config"
	"fairlead/gslb"
)

// worldlyDocument is the fixture's with a virtual server for each method and for whatever else decides, and with views.
func worldlyDocument() *config.Document {
	doc := document()
	doc.Settings.Answers = config.AnswerSettings{AdaptiveTTL: true, LeastTTL: config.Duration(5 * time.Second), Coherent: true}
	doc.Views = []config.View{{Name: "inside", Clients: prefixesOf("203.0.113.0/24", "10.0.0.0/8")}, {Name: "door", Listeners: []netip.Addr{netip.MustParseAddr("192.0.2.54")}}}
	doc.Sites[0].Location.Place, doc.Sites[1].Location.Place = "EU.NL", "NA.US"
	doc.Locations = []config.Location{{Prefix: netip.MustParsePrefix("203.0.113.0/24"), Place: "EU.NL"}, {Prefix: netip.MustParsePrefix("2001:db8::/32"), Place: "NA"},
		{Prefix: netip.MustParsePrefix("64.0.0.0/2"), Place: "NA.US"}}
	for i := range doc.Services[:3] {
		s := &doc.Services[i]
		s.MaxConnections = uint64(15 * i)
		s.Views = []config.ServiceView{{View: []string{"inside", "door", "inside"}[i], Addresses: []netip.Addr{netip.AddrFrom4([4]byte{172, 16, 0, byte(i)})}}}
	}
	doc.Services[1].PublicAddresses = []netip.Addr{netip.MustParseAddr("198.51.100.99")}
	add := func(name string, change func(*config.VirtualServer)) {
		v := virtualServer(name+".example.com", "ams", "nyc", "twin")
		v.MaxAnswers, v.Members[2].Order = 2, 2
		change(&v)
		doc.VirtualServers = append(doc.VirtualServers, v)
	}
	for _, m := range []config.Method{config.LeastConnection, config.LeastResponseTime, config.StaticProximity, config.RTT, config.CustomLoad, config.Measured, config.Scored} {
		add(string(m), func(v *config.VirtualServer) { v.Method, v.Score = m, config.Score{Load: 1, RTT: 1, Distance: 1} })
	}
	stay := config.Persistence{Type: config.PersistenceSourceIP, Timeout: config.Duration(20 * time.Second), Prefix4: 20, Prefix6: 48}
	add("stay", func(v *config.VirtualServer) {
		v.Persistence = stay
		v.Domains = append(v.Domains, config.Domain{Name: "second.example.com"})
	})
	add("spill", func(v *config.VirtualServer) {
		v.Backup = "least-connection.example.com"
		v.Spillover = config.Spillover{Method: config.SpilloverConnections, Threshold: 12, Persistence: true, Timeout: config.Duration(9 * time.Second)}
	})
	add("held", func(v *config.VirtualServer) {
		v.Backup, v.BackupHold, v.DynamicWeight = "rtt.example.com", true, config.DynamicMembers
	})
	add("policy", func(v *config.VirtualServer) {
		v.Policies = []config.Policy{{Name: "door", Listeners: doc.Views[1].Listeners, Orders: []int{2}}, {Name: "near", Places: []string{"EU"}, Prefer: []string{"EU.*"}},
			{Name: "some", Clients: prefixesOf("128.0.0.0/2"), Prefer: []string{"NA"}}}
	})
	return doc
}

func prefixesOf(texts ...string) (out []netip.Prefix) {
	for _, text := range texts {
		out = append(out, netip.MustParsePrefix(text))
	}
	return out
}

// mostlyUp is a random belief with few services down, so that there is something to choose.
func mostlyUp(r *rand.Rand, plan *gslb.Plan, at time.Time) *gslb.Status {
	status := randomBelief(r, plan, at)
	for i := range status.Services {
		s := &status.Services[i]
		if r.IntN(4) > 0 {
			s.State, s.Without4, s.Without6 = gslb.Up, false, false
		}
	}
	return status
}
