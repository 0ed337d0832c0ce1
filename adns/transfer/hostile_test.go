package transfer

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/config/zonedata"

	"github.com/miekg/dns"
)

// changed rewrites one message of a transfer.
func changed(at int, change func(*dns.Msg)) func(*dns.Msg, [][]byte) [][]byte {
	return func(q *dns.Msg, messages [][]byte) [][]byte {
		if q.Question[0].Qtype == dns.TypeSOA {
			return messages
		}
		m := new(dns.Msg)
		if err := m.Unpack(messages[at]); err != nil {
			panic(err)
		}
		change(m)
		packed, err := m.Pack()
		if err != nil {
			panic(err)
		}
		messages[at] = packed
		return messages
	}
}

// added puts records into a transfer, before the final SOA.
func added(t *testing.T, lines ...string) func(*dns.Msg, [][]byte) [][]byte {
	return changed(0, func(m *dns.Msg) {
		last := m.Answer[len(m.Answer)-1]
		m.Answer = m.Answer[:len(m.Answer)-1]
		for _, l := range lines {
			m.Answer = append(m.Answer, record(t, l))
		}
		m.Answer = append(m.Answer, last)
	})
}

// TestHostilePrimary: nothing but a complete and sound zone is taken, and the one before stays.
func TestHostilePrimary(t *testing.T) {
	soa := func(serial uint32) string { return newZone(t, serial).soa.String() }
	only := func(lines ...string) func(*dns.Msg, [][]byte) [][]byte {
		return changed(0, func(m *dns.Msg) {
			m.Answer = nil
			for _, l := range lines {
				m.Answer = append(m.Answer, record(t, l))
			}
		})
	}
	for name, c := range map[string]struct {
		answer func(*dns.Msg, [][]byte) [][]byte
		want   string
	}{
		"wrong ID":         {changed(0, func(m *dns.Msg) { m.Id++ }), "has ID"},
		"no response":      {changed(0, func(m *dns.Msg) { m.Response = false }), "not a response"},
		"another opcode":   {changed(0, func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify }), "not a response"},
		"another name":     {changed(0, func(m *dns.Msg) { m.Question[0].Name = "example.org." }), "another question"},
		"another type":     {changed(0, func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeA }), "another question"},
		"another class":    {changed(0, func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }), "another question"},
		"no question":      {changed(0, func(m *dns.Msg) { m.Question = nil }), "another question"},
		"two questions":    {changed(0, func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) }), "another question"},
		"refused":          {changed(0, func(m *dns.Msg) { m.Rcode, m.Answer = dns.RcodeRefused, nil }), "REFUSED"},
		"truncated":        {changed(0, func(m *dns.Msg) { m.Truncated = true }), "truncated"},
		"empty":            {changed(0, func(m *dns.Msg) { m.Answer = nil }), "no records"},
		"no SOA at first":  {only(nsLine, soa(2)), "starts with NS"},
		"no final SOA":     {only(soa(2), nsLine, aLine), "too early"},
		"SOA alone":        {only(soa(2)), "too early"},
		"two SOA alone":    {only(soa(2), soa(2)), "no NS"},
		"other final SOA":  {only(soa(2), nsLine, soa(3)), "final SOA"},
		"SOA in between":   {added(t, soa(7)), "final SOA"},
		"second SOA early": {only(soa(2), soa(9), nsLine, soa(2)), "amid the zone"},
		"more behind":      {only(soa(2), nsLine, soa(2), nsLine), "after the final"},
		"no NS":            {only(soa(2), aLine, soa(2)), "no NS"},
		"serial goes back": {only(soa(0), nsLine, soa(0)), "goes back"},
		"foreign record":   {added(t, "www.example.org. 30 IN A 192.0.2.1"), "outside the zone"},
		"parent's record":  {added(t, "test. 30 IN A 192.0.2.1"), "outside the zone"},
		"sibling's record": {added(t, "notexample.test. 30 IN A 192.0.2.1"), "outside the zone"},
		"SOA below":        {added(t, "www.example.test. 30 IN SOA a. b. 1 2 3 4 5"), "not at the top"},
		"class CH":         {added(t, "www.example.test. 30 CH A 192.0.2.1"), "class CH"},
		"question's type": {changed(0, func(m *dns.Msg) {
			m.Answer[1] = &dns.RFC3597{Hdr: dns.RR_Header{Name: "example.test.", Rrtype: dns.TypeIXFR, Class: dns.ClassINET}}
		}), "cannot be in a zone"},
		"cut message":  {func(q *dns.Msg, m [][]byte) [][]byte { return cutLast(q, m, 5) }, "cut or malformed"},
		"header alone": {func(q *dns.Msg, m [][]byte) [][]byte { return cutLast(q, m, len(m[0])-headerOctets) }, "cut or malformed"},
		"no octets":    {func(q *dns.Msg, m [][]byte) [][]byte { return cutLast(q, m, len(m[0])) }, "cut or malformed"},
		"hangs up":     {func(q *dns.Msg, m [][]byte) [][]byte { return cutLast(q, nil, 0) }, "too early"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, t.TempDir(), nil, newZone(t, 1, www(1)))
				defer l.run()()
				l.want("at the start", "1 192.0.2.1")
				l.primary.publish(newZone(t, 2, www(2)))
				l.primary.transfers.Published(everybody(t), source{}) // no history: both forms are the whole zone
				l.primary.transfers.Published(everybody(t), source{newZone(t, 2, www(2))})
				l.primary.set(func() { l.primary.answer = c.answer })
				time.Sleep(150 * time.Second)
				l.want("after the transfer", "1 192.0.2.1")
				if got := l.secondary.Status()[0].Failure; !strings.Contains(got, c.want) {
					t.Errorf("failure %q, want one with %q", got, c.want)
				}
				l.primary.set(func() { l.primary.answer = nil })
				time.Sleep(150 * time.Second)
				l.want("when the primary is sound again", "2 192.0.2.2")
			})
		})
	}
}

func cutLast(q *dns.Msg, messages [][]byte, octets int) [][]byte {
	if q.Question[0].Qtype == dns.TypeSOA && len(messages) > 0 {
		return messages
	}
	if len(messages) > 0 {
		last := messages[len(messages)-1]
		messages[len(messages)-1] = last[:len(last)-octets]
	}
	return messages
}

// TestTransferCutAtEachMessage: a zone of several messages that ends early at any of them is not taken, signed or not.
func TestTransferCutAtEachMessage(t *testing.T) {
	var lines []string
	for i := range 4000 {
		lines = append(lines, fmt.Sprintf("host-%d.example.test. 60 IN A 10.0.%d.%d", i, i>>8, i&255))
	}
	for _, keys := range []*Keys{nil, testKeys(t)} {
		synctest.Test(t, func(t *testing.T) {
			p := newPrimary(t, keys)
			p.publish(newZone(t, 1, lines...))
			f := fetcher{keys: keys, now: time.Now, dial: p.dial}
			from := target{address: "192.0.2.1:53"}
			if keys != nil {
				from.key = "fetch."
			}
			count := 0
			p.answer = func(_ *dns.Msg, m [][]byte) [][]byte {
				count = len(m)
				return m
			}
			got, err := f.fetch(t.Context(), "example.test.", from, nil)
			if err != nil || got.zone.records != 4003 || count < 4 {
				t.Fatalf("whole: %v, %d messages", err, count)
			}
			for keep := range count {
				p.set(func() { p.answer = func(_ *dns.Msg, m [][]byte) [][]byte { return m[:keep] } })
				if _, err := f.fetch(t.Context(), "example.test.", from, nil); err == nil {
					t.Errorf("%d of %d messages were taken for the zone", keep, count)
				}
				p.set(func() {
					p.answer = func(_ *dns.Msg, m [][]byte) [][]byte { return append(m[:keep:keep], m[keep+1:]...) }
				})
				if _, err := f.fetch(t.Context(), "example.test.", from, nil); keys != nil && err == nil {
					t.Errorf("the zone was taken without message %d, which a signature covers", keep)
				}
			}
			p.set(func() { p.answer = changed(count-1, func(m *dns.Msg) { m.Extra = nil }) })
			if _, err := f.fetch(t.Context(), "example.test.", from, nil); (keys == nil) != (err == nil) {
				t.Errorf("the last message without a signature: %v", err)
			}
		})
	}
}

// TestEndlessPrimary: a transfer without end is given up.
func TestEndlessPrimary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sending sync.WaitGroup
		defer sending.Wait()
		f := fetcher{now: time.Now, dial: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			sending.Go(func() {
				defer ours.Close()
				buf := make([]byte, maxMessage)
				n, err := readMessage(ours, buf)
				if err != nil {
					return
				}
				q := new(dns.Msg)
				if q.Unpack(buf[:n]) != nil {
					return
				}
				m := new(dns.Msg).SetReply(q)
				m.Answer = []dns.RR{newZone(t, 1).soa}
				for {
					packed, _ := m.Pack()
					if _, err := ours.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(packed))), packed...)); err != nil {
						return
					}
					time.Sleep(20 * time.Second) // less than idleTime
					m.Answer = []dns.RR{record(t, www(1))}
				}
			})
			return theirs, nil
		}}
		start := time.Now()
		_, err := f.fetch(t.Context(), "example.test.", target{address: "192.0.2.1:53"}, nil)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > fetchTime+time.Second {
			t.Errorf("got %v after %s, want the end of the time for a transfer", err, time.Since(start))
		}
	})
}

// TestWrongDifferences: differences that do not fit, or are wrong in another way, make the whole zone be fetched.
func TestWrongDifferences(t *testing.T) {
	soa := func(serial uint32) string { return newZone(t, serial).soa.String() }
	for name, lines := range map[string][]string{
		"deletes what is not there": {soa(3), soa(1), www(9), soa(3), www(3), soa(3)},
		"adds what is there":        {soa(3), soa(1), soa(3), www(1), soa(3)},
		"starts elsewhere":          {soa(3), soa(2), www(1), soa(3), www(3), soa(3)},
		"has a foreign record":      {soa(3), soa(1), www(1), soa(3), "www.example.org. 30 IN A 192.0.2.3", soa(3)},
		"goes on after its end":     {soa(3), soa(1), www(1), soa(3), www(3), soa(3), www(4)},
		"ends before the last":      {soa(3), soa(1), www(1), soa(2), www(2), soa(3)},
		"is empty":                  nil,
		"has a gap":                 {soa(3), soa(1), www(1), soa(2), www(2), soa(3), www(3), soa(3)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, "", nil, newZone(t, 1, www(1)))
				defer l.run()()
				l.want("at the start", "1 192.0.2.1")
				l.primary.publish(newZone(t, 3, www(3)))
				l.primary.set(func() {
					l.primary.answer = func(q *dns.Msg, messages [][]byte) [][]byte {
						if q.Question[0].Qtype != dns.TypeIXFR {
							return messages
						}
						m := new(dns.Msg).SetReply(q)
						for _, line := range lines {
							m.Answer = append(m.Answer, record(t, line))
						}
						packed, err := m.Pack()
						if err != nil {
							t.Error(err)
						}
						return [][]byte{packed}
					}
				})
				time.Sleep(110 * time.Second)
				l.want("after differences that do not fit", "3 192.0.2.3")
				if n := l.primary.count(dns.TypeAXFR); n != 2 {
					t.Errorf("%d AXFR, want 2", n)
				}
			})
		})
	}
}

func TestZoneLimits(t *testing.T) {
	for _, c := range []struct {
		records, octets int
		good            bool
	}{
		{zonedata.MaxRecords, maxZoneOctets, true},
		{zonedata.MaxRecords + 1, 1, false},
		{1, maxZoneOctets + 1, false},
	} {
		if err := withinLimits(c.records, c.octets); (err == nil) != c.good {
			t.Errorf("%d records, %d octets: %v", c.records, c.octets, err)
		}
	}
}

// FuzzReceive: no messages make the receiver panic, and what it takes for complete is a zone with its SOA.
func FuzzReceive(f *testing.F) {
	tr := New(Options{})
	tr.Published(everybody(f), source{newZone(f, 1, www(1))})
	tr.Published(everybody(f), source{newZone(f, 2, www(2))})
	q := axfr()
	q.Id = 1
	for _, m := range served(f, tr, q, client) {
		f.Add(m, m, false)
	}
	q = ixfr(1)
	q.Id = 1
	for _, m := range served(f, tr, q, client) {
		f.Add(m, []byte{}, true)
	}
	first := newZone(f, 1, www(1))
	var wire []byte
	for _, rr := range append([]dns.RR{first.soa}, first.records...) {
		var err error
		if wire, err = appendRecord(wire, rr); err != nil {
			f.Fatal(err)
		}
	}
	old := &image{soa: first.soa, wire: wire, records: 1 + len(first.records)}
	f.Fuzz(func(t *testing.T, one, two []byte, incremental bool) {
		q, have := axfr(), (*image)(nil)
		if incremental {
			q, have = ixfr(1), old
		}
		q.Id = 1
		r := newReceiver("example.test.", q, have)
		for _, m := range [][]byte{one, two} {
			if r.message(m) != nil || r.done() {
				break
			}
		}
		if z := r.result(); z != nil {
			records, err := z.unpack()
			if err != nil || len(records) != z.records {
				t.Fatalf("%d records, %v; want %d", len(records), err, z.records)
			}
			if _, ok := records[0].(*dns.SOA); !ok {
				t.Fatal("it does not begin with its SOA")
			}
		}
	})
}

// FuzzKept: no file makes the reader panic.
func FuzzKept(f *testing.F) {
	f.Add([]byte(keptMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		if i, err := readKept("example.test.", b); err == nil && i.soa == nil {
			t.Error("a file without a SOA was taken")
		}
	})
}
