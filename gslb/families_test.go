package gslb

import (
	"testing"

	"fairlead/config"
)

// hosted gives services of a world hosts, and its first domain the types that are answered with them.
func (w *world) hosted(names ...string) *world {
	for i := range w.doc.Services {
		for _, n := range names {
			if w.doc.Services[i].Name == n {
				w.doc.Services[i].Host = n + ".example.net"
			}
		}
	}
	w.doc.VirtualServers[0].Domains[0].HTTPS = &config.HTTPSAnswer{}
	w.doc.VirtualServers[0].Domains[0].SRV = &config.SRVAnswer{}
	return w
}

func (w *world) without(name string, four, six bool) *world {
	st := w.status[name]
	st.Without4, st.Without6 = four, six
	w.status[name] = st
	return w
}

// TestDecideOtherFamilies: who answers HTTPS, and who SRV and MX.
func TestDecideOtherFamilies(t *testing.T) {
	rr := config.VirtualServer{Method: config.RoundRobin}
	ordered := config.VirtualServer{Method: config.RoundRobin, Members: []config.Member{{Service: "a", Weight: 1, Order: 1}, {Service: "b", Weight: 1, Order: 2}}}
	backupAddress := config.VirtualServer{Method: config.RoundRobin, WhenAllDown: config.AnswerBackupAddress}
	withBackup := config.VirtualServer{Method: config.RoundRobin, Backup: "dr"}
	tests := []struct {
		name   string
		world  *world
		family Family
		want   string
		reason Reason
	}{
		{"any: one family failing is enough to stay", twoSites(ordered).hosted().without("a", true, false), AnyFamily, "a", ReasonOnlyOne},
		{"any: both failing moves on", twoSites(ordered).hosted().without("a", true, true), AnyFamily, "b", ReasonOnlyOne},
		{"any: down moves on", twoSites(ordered).hosted().state("a", Down), AnyFamily, "b", ReasonOnlyOne},
		{"any: all down names all", twoSites(rr).hosted().state("a", Down).state("b", Down), AnyFamily, "a b", ReasonAllDown},
		{"any: all down with backup addresses", twoSites(backupAddress).hosted().state("a", Down).state("b", Down), AnyFamily, "backup-address", ReasonAllBackup},
		{"host: failing addresses do not count", twoSites(ordered).hosted("a", "b").without("a", true, true), ByHost, "a", ReasonOnlyOne},
		{"host: who has none is left out", twoSites(rr).hosted("b"), ByHost, "b", ReasonOnlyOne},
		{"host: nobody has one", twoSites(rr).hosted(), ByHost, "empty", ReasonNobody},
		{"host: all down names those with one", twoSites(rr).hosted("b").state("a", Down).state("b", Down), ByHost, "b", ReasonAllDown},
		{"host: backup addresses are no hosts", twoSites(backupAddress).hosted("a", "b").state("a", Down).state("b", Down), ByHost, "empty", ReasonAllEmpty},
		{"host: the backup is asked too", twoSites(withBackup).backup(config.VirtualServer{}).hosted("a", "b", "c").state("a", Down).state("b", Down), ByHost, "c", ReasonOnlyOne},
		{"no other types: nobody", twoSites(rr), ByHost, "empty", ReasonNobody},
		{"no other types, all down: nobody", twoSites(rr).state("a", Down).state("b", Down), AnyFamily, "empty", ReasonAllEmpty},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, l := tt.world.snapshot(t)
			got, d := ask(s, l, tt.family, client, "")
			if got != tt.want || d.Reason != tt.reason {
				t.Errorf("got %q (%s), want %q (%s)", got, d.Reason, tt.want, tt.reason)
			}
		})
	}
}

// TestDecideHostOnly: a service that has nothing but a host keeps its virtual server from being down for addresses.
func TestDecideHostOnly(t *testing.T) {
	w := newWorld().site("ams", "").service("a", "ams", Up)
	w.virtualServer(config.VirtualServer{Name: "v", Method: config.RoundRobin, Members: members("a"), WhenAllDown: config.AnswerServFail, Domains: domains("www.example.com")})
	s, l := w.hosted("a").snapshot(t)
	if !s.Usable(0) {
		t.Error("the virtual server counts as down")
	}
	if got, d := ask(s, l, IPv4, client, ""); got != "empty" || d.Reason != ReasonNobody {
		t.Errorf("IPv4: got %q (%s), want no address", got, d.Reason)
	}
	if got, _ := ask(s, l, ByHost, client, ""); got != "a" {
		t.Errorf("by host: got %q, want a", got)
	}
}

// TestFamiliesTakeTurnsApart: a client that asks for A, AAAA and HTTPS gets the same site with each.
func TestFamiliesTakeTurnsApart(t *testing.T) {
	s, l := twoSites(config.VirtualServer{Method: config.RoundRobin}).hosted("a", "b").snapshot(t)
	for turn, want := range []string{"a", "b", "a"} {
		if turn == 1 {
			l = l.Copy()
		}
		if turn == 2 {
			l = l.Carry(s.Plan, s.Plan)
		}
		for _, f := range []Family{IPv4, IPv6, AnyFamily, ByHost} {
			if got, _ := ask(s, l, f, client, ""); got != want {
				t.Errorf("turn %d, family %d: got %q, want %q", turn, f, got, want)
			}
		}
	}
	// A document that has no other types any more, and one that has them for the first time.
	plain, fresh := twoSites(config.VirtualServer{Method: config.RoundRobin}).snapshot(t)
	if got, _ := ask(plain, l.Carry(s.Plan, plain.Plan), IPv4, client, ""); got != "b" {
		t.Errorf("after the types went: got %q, want b", got)
	}
	if got, _ := ask(s, fresh.Carry(plain.Plan, s.Plan), AnyFamily, client, ""); got != "a" {
		t.Errorf("after the types came: got %q, want a", got)
	}
}

// TestFamiliesAgreeInsideTheScope: a resolver keeps an answer for all clients in its scope, so that A for one of them and AAAA
// for another must agree: of the sites that are equally near, both get the same one. Clients of another scope are apart.
func TestFamiliesAgreeInsideTheScope(t *testing.T) {
	w := twoSites(config.VirtualServer{Method: config.StaticProximity, ClientSubnet: true}).
		location("192.0.0.0/16", "AS.JP").location("198.51.0.0/16", "AS.JP")
	for i := range w.doc.Sites {
		w.doc.Sites[i].Location = config.SiteLocation{Place: "AS"}
	}
	w.doc.Settings.Answers.Coherent = true
	s, l := w.snapshot(t)
	for _, a := range []struct {
		family Family
		subnet string
		want   string
		reason Reason
	}{
		{IPv4, "192.0.2.0/24", "a", ReasonTie},
		{IPv4, "198.51.2.0/24", "b", ReasonTie},
		{IPv6, "192.0.77.0/24", "a", ReasonPaired},
		{IPv6, "198.51.77.0/24", "b", ReasonPaired},
	} {
		if got, d := ask(s, l, a.family, client, a.subnet); got != a.want || d.Reason != a.reason {
			t.Errorf("family %d of %s: got %s (%s, scope %d), want %s (%s)", a.family, a.subnet, got, d.Reason, d.Scope, a.want, a.reason)
		}
	}
}
