package mep

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// madeExample is an example that is to be written to the page.
type madeExample struct {
	title    string
	kind     FrameType
	flags    uint8
	sequence uint64
	payload  []byte
}

// madeExamples are a conversation of a small speaker with its parent, and then frames of other kinds.
func madeExamples() []madeExample {
	clock := time.Unix(1763800000, 0)
	ams := Hello{Site: "ams", Node: "ams1", VersionMin: 1, VersionMax: 2, Incarnation: 1763790000000000000, Connection: 1, Clock: clock,
		MetricsInterval: time.Second, KeepaliveTimeout: 10 * time.Second, Digest: [32]byte{0xab, 0xcd}}
	edge := Hello{Site: "edge", Node: "mep-agent", VersionMin: 1, VersionMax: 2, Role: RoleChild, Incarnation: 1763799000000000000, Connection: 4,
		Clock: clock.Add(3 * time.Millisecond), MetricsInterval: time.Second, KeepaliveTimeout: 10 * time.Second}
	first := keepAlive{stamp: 5000000000, clock: clock.Add(4 * time.Millisecond), heard: 1, silence: time.Millisecond, digest: [32]byte{0xab, 0xcd}}
	reply := keepAlive{stamp: 77000000000, clock: clock.Add(6 * time.Millisecond), echo: first.stamp, held: 400 * time.Microsecond, heard: 2}
	records := exampleRecords()
	prefix := servicesPrefix{incarnation: edge.Incarnation, set: 1, age: 2 * time.Millisecond, records: uint32(len(records)), origin: "edge"}
	services := prefix.append(nil)
	for i := range records {
		services = records[i].append(services)
	}
	anew, change := exampleChanges(records)
	return append([]madeExample{
		{"Hello, of ams, which dials", FrameHello, 0, 1, ams.append(nil)},
		{"Hello, the answer of edge", FrameHello, 0, 1, edge.append(nil)},
		{"Attach, of edge", FrameAttach, 0, 2, appendAttach(nil, true)},
		{"KeepAlive, of ams", FrameKeepAlive, 0, 2, first.append(nil)},
		{"KeepAlive, of edge", FrameKeepAlive, 0, 3, reply.append(nil)},
		{"Services, of edge", FrameServices, 0, 4, services},
		{"Leaving, of edge", FrameLeaving, 0, 5, (&leaving{leaveStopping, "stopped"}).append(nil)},
		{"Changes, all anew", FrameChanges, flagAnew, 3, anew},
		{"Changes, the next round", FrameChanges, 0, 4, change},
	}, otherExamples()...)
}

func exampleRecords() []ServiceRecord {
	return []ServiceRecord{
		{Name: "web-edge", State: StateUp, Reason: "haproxy: web is UP", Has: HasActiveConnections | HasRequestsPerSecond | HasLoadAge | HasEvidenceAge,
			ActiveConnections: 300, RequestsPerSecond: 120, LoadAge: 40 * time.Millisecond, EvidenceAge: 40 * time.Millisecond},
		{Name: "one", State: StateUp, Without6: true, Has: HasEvidenceAge, EvidenceAge: 250 * time.Millisecond,
			Announced: &Announcement{Label: "pods", IPv4: netip.MustParseAddr("192.0.2.81"), IPv6: netip.MustParseAddr("2001:db8::81"), Port: 443, Weight: 1}},
	}
}

// exampleChanges are two rounds: the services of a site, and then of one of them more connections, and DOWN.
func exampleChanges(records []ServiceRecord) (anew, change []byte) {
	e := newEncoder("edge", time.Second)
	round := func() []byte {
		now := time.Duration(e.round+1) * time.Second
		e.begin(now)
		e.tell(e.own, &sight{incarnation: 1763799000000000000, set: e.round, hops: maxHops, records: records, floor: noFloor})
		return e.finish()[0]
	}
	anew = round()
	records = append([]ServiceRecord(nil), records...)
	r := &records[0]
	r.State, r.Reason, r.ActiveConnections, r.LoadAge, r.EvidenceAge = StateDown, "haproxy: web is DOWN", 298, r.LoadAge+time.Second, r.EvidenceAge+time.Second
	records[1].EvidenceAge += time.Second
	return anew, round()
}

func otherExamples() []madeExample {
	addr := netip.MustParseAddr
	network := appendNetwork([]NetworkSection{{Site: "ams", Hops: 8, Records: []NetworkRecord{
		{LDNS: addr("198.51.100.53"), Source: 2, RTT: 23400 * time.Microsecond, Age: 1500 * time.Millisecond},
		{LDNS: addr("2001:db8:53::"), Wanted: true, Proven: true, Age: 20 * time.Millisecond}}}})[0]
	made := time.Unix(0, 0)
	sessions := NewSessionsFrame([]SessionRecord{{ID: 7, Client: addr("203.0.113.0"), Service: 0x1122334455667788, Remaining: 10 * time.Minute},
		{ID: 7, Client: addr("2001:db8:1::"), Service: 0, Remaining: 90 * time.Second}}, made).aged(made.Add(5 * time.Millisecond))
	views := []ViewRecord{{Kind: ViewOfService, State: StateUp, Name: "web-nyc", Age: 2 * time.Second}, {Kind: ViewOfSite, State: StateUp, Name: "nyc", Age: 300 * time.Millisecond}}
	overrides := []OverrideRecord{{Kind: 1, Action: 3, Revision: 12, Name: "web-edge", Site: "ams", Owner: "ops", Reason: "kernel update", Remaining: 2 * time.Hour, Age: time.Minute}}
	decisions := DecisionsDigest{Document: [32]byte{0xab, 0xcd}, Decisions: 0x0123456789abcdef, Buckets: []uint64{1, 2}, Causes: []uint64{3}}
	return []madeExample{
		{"Resend", FrameResend, 0, 5, nil},
		{"Network", FrameNetwork, 0, 6, network},
		{"Sessions", FrameSessions, flagConfirm, 7, sessions},
		{"Views", FrameViews, 0, 8, newBundle(FrameViews, 3, len(views), func(b []byte, i int) []byte { return views[i].append(b) }).parts[0]},
		{"Overrides", FrameOverrides, 0, 9, newBundle(FrameOverrides, 1, 1, func(b []byte, i int) []byte { return overrides[i].append(b) }).parts[0]},
		{"Config", FrameConfig, 0, 10, append([]byte{200, 0, 0, 0, 0, 0, 0, 4}, "body"...)},
		{"Decisions", FrameDecisions, 0, 11, decisions.append(nil)},
		{"Ask", FrameAsk, 0, 12, appendAsk(nil, 1, 1, []byte(`{"name":"www.example.test","type":"A"}`))},
		{"Answer", FrameAnswer, 0, 6, appendAsk(nil, 1, 3, []byte("the site is starting"))},
	}
}

// writeExamples returns the section of the page.
func writeExamples(t *testing.T) string {
	var b strings.Builder
	x := &exampleReader{t: t}
	for _, e := range madeExamples() {
		h := header{uint32(len(e.payload)), e.kind, e.flags, e.sequence}
		var head [headerSize]byte
		h.put(head[:])
		x.read(h, e.payload)
		fmt.Fprintf(&b, "\n#### Example: %s\n\n```\n% x\n", e.title, head)
		for rest := e.payload; len(rest) > 0; rest = rest[min(32, len(rest)):] {
			fmt.Fprintf(&b, "% x\n", rest[:min(32, len(rest))])
		}
		b.WriteString("```\n\n| field | value |\n|---|---|\n")
		for _, r := range x.rows {
			fmt.Fprintf(&b, "| %s | `%s` |\n", r.field, r.value)
		}
	}
	return b.String() + "\n"
}
