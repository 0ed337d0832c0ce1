package transfer

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/config"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// variants is a Source of zones that look different to views, by index of the document's zones.
type variants [][]Variant

func (v variants) Variants(index int) []Variant { return v[index] }

// viewedZones are example.test for all, which looks different to partners, for insiders, and for a lab that may not transfer.
func viewedZones() *config.Document {
	all, anybody := netip.MustParsePrefix("0.0.0.0/0"), config.ZoneTransfer{Notify: []config.TransferPeer{{Address: "192.0.2.99"}}}
	anybody.Allow = []config.TransferClient{{Prefix: all.String()}}
	return &config.Document{Zones: []config.Zone{
		{Name: "example.test", Transfer: anybody},
		{Name: "Example.test", Transfer: anybody, Views: []string{"inside", "vpn"}},
		{Name: "example.test", Views: []string{"lab"}},
	}}
}

// A client gets the zone of its view, as its view sees it, and the differences of that.
func TestVariants(t *testing.T) {
	doc := viewedZones()
	version := func(all, inside uint32) variants {
		return variants{
			{{Zone: newZone(t, all, www(int(all)))}, {Views: []string{"partner"}, Zone: newZone(t, all, www(100+int(all)))}},
			{{Views: []string{"inside", "vpn"}, Zone: newZone(t, inside, www(200+int(inside)))}},
			nil,
		}
	}
	tr := New(Options{})
	tr.Published(doc, version(1, 1))
	tr.Published(doc, version(2, 1))
	whole := func(serial, host string) []string {
		return []string{"SOA " + serial, nsLine, aLine, "www.example.test. 30 IN A 192.0.2." + host, "SOA " + serial}
	}
	steps := func(from, to string) []string {
		return []string{"SOA 2", "SOA 1", "www.example.test. 30 IN A 192.0.2." + from, "SOA 2", "www.example.test. 30 IN A 192.0.2." + to, "SOA 2"}
	}
	for _, tt := range []struct {
		view string
		q    *dns.Msg
		want []string
	}{
		{"", axfr(), whole("2", "2")},
		{"unknown", axfr(), whole("2", "2")},
		{"partner", axfr(), whole("2", "102")},
		{"inside", axfr(), whole("1", "201")},
		{"vpn", axfr(), whole("1", "201")},
		{"lab", axfr(), []string{"REFUSED"}},
		{"", ixfr(1), steps("1", "2")},
		{"partner", ixfr(1), steps("101", "102")},
		{"inside", ixfr(1), []string{"SOA 1"}},
	} {
		peer := client
		peer.View = tt.view
		if d := cmp.Diff(tt.want, records(t, served(t, tr, tt.q, peer))); d != "" {
			t.Errorf("%s of view %q (-want +got):\n%s", dns.Type(tt.q.Question[0].Qtype), tt.view, d)
		}
	}
}

// Each zone tells its servers once, however many ways it can be seen.
func TestVariantsNotifyOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &listener{answer: func(_ int, q *dns.Msg) []*dns.Msg { return []*dns.Msg{new(dns.Msg).SetReply(q)} }}
		tr := New(Options{Dial: l.dial})
		defer running(t, tr)()
		tr.Published(viewedZones(), variants{
			{{Zone: newZone(t, 5)}, {Views: []string{"partner"}, Zone: newZone(t, 5, www(1))}},
			{{Views: []string{"inside", "vpn"}, Zone: newZone(t, 7)}}, nil})
		synctest.Wait()
		serials, _ := l.told()
		slices.Sort(serials)
		if !slices.Equal(serials, []uint32{5, 7}) {
			t.Errorf("told serials %v, want 5 and 7", serials)
		}
	})
}

// Zones of one name for different views are brought from their own primaries, kept apart, and all told by a NOTIFY that may
// mean any of them.
func TestSecondaryOfViews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		doc := &config.Document{Zones: []config.Zone{
			{Name: "example.test", Primaries: []config.TransferPeer{{Address: "192.0.2.1"}}},
			{Name: "example.test", Primaries: []config.TransferPeer{{Address: "192.0.2.2"}}, Views: []string{"inside", "Vpn"}},
			{Name: "example.test", Primaries: []config.TransferPeer{{Address: "192.0.2.1"}, {Address: "192.0.2.2"}}, Views: []string{"vpn"}},
		}}
		outer, inner := newPrimary(t, nil), newPrimary(t, nil)
		outer.publish(newZone(t, 1, www(1)))
		inner.publish(newZone(t, 8, www(2)))
		dial := func(ctx context.Context, network, address string) (net.Conn, error) {
			if address == "192.0.2.2:53" {
				return inner.dial(ctx, network, "192.0.2.1:53")
			}
			return outer.dial(ctx, network, address)
		}
		dir := t.TempDir()
		l := &lab{t: t, secondary: NewSecondary(SecondaryOptions{Dir: dir, Publish: func(string) error { return nil }, Dial: dial})}
		l.secondary.Adopt(doc)
		stop := l.run()
		want := func(when string, want ...string) {
			t.Helper()
			synctest.Wait()
			for i := range doc.Zones {
				if got := soaOf(l.secondary.Records(&doc.Zones[i])); got != want[i] {
					t.Errorf("%s: zone %d: got %s, want %s", when, i, got, want[i])
				}
			}
		}
		want("at the start", "1", "8", "1")
		inner.publish(newZone(t, 9, www(2)))
		notify := new(dns.Msg).SetNotify("example.test.")
		packed, err := notify.Pack()
		if err != nil {
			t.Fatal(err)
		}
		answer := new(dns.Msg)
		if err := answer.Unpack(l.secondary.Notify(packed, notify, Peer{Addr: netip.MustParseAddr("192.0.2.2")})); err != nil || answer.Rcode != dns.RcodeSuccess {
			t.Errorf("NOTIFY: %v, %s", err, rcodeName(answer.Rcode))
		}
		sleepPast(notifyGap)
		want("after the NOTIFY", "1", "9", "9") // of its two primaries the one that told is asked first
		stop()
		l.secondary = NewSecondary(SecondaryOptions{Dir: dir, Publish: func(string) error { return nil }})
		want("from the directory", "1", "9", "9")
	})
}

func TestZoneID(t *testing.T) {
	for want, z := range map[string]config.Zone{
		"example.test.":             {Name: "Example.test"},
		"example.test.@inside+vpn":  {Name: "example.test.", Views: []string{"vpn", "inside"}},
		"example.test.@Inside+vpn.": {Name: "example.test.", Views: []string{"vpn.", "Inside"}},
	} {
		if got := ZoneID(&z); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func soaOf(records []dns.RR, ok bool) string {
	if !ok || len(records) == 0 {
		return "nothing"
	}
	return line(records[0])[len("SOA "):]
}

// sleepPast waits a little longer, in a bubble.
func sleepPast(d time.Duration) {
	time.Sleep(d + time.Millisecond)
	synctest.Wait()
}
