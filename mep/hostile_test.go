package mep

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
)

// intruder is a connection to nyc that claims to be ams, written by hand.
type intruder struct {
	t    *testing.T
	conn net.Conn
	in   *frameReader
	seq  uint64
}

func intrude(t *testing.T, n *memNet, ip string) *intruder {
	t.Helper()
	conn, err := n.Host(ip).Dial(t.Context(), "tcp", "10.0.0.2:3009")
	if err != nil {
		t.Fatal(err)
	}
	return &intruder{t: t, conn: conn, in: newFrameReader(conn)}
}

func (i *intruder) frame(kind FrameType, flags uint8, payload []byte) []byte {
	i.seq++
	return appendFrame(nil, kind, flags, i.seq, func(b []byte) []byte { return append(b, payload...) })
}

func (i *intruder) hello(change func(*Hello)) []byte {
	h := sampleHello()
	if change != nil {
		change(&h)
	}
	return i.frame(FrameHello, 0, h.append(nil))
}

// services is a set that ams may send.
func (i *intruder) services(change func(*servicesPrefix)) []byte {
	p := servicesPrefix{incarnation: sampleHello().Incarnation, set: i.seq + 1, origin: "ams"}
	if change != nil {
		change(&p)
	}
	return i.frame(FrameServices, 0, encodeServices(p, []ServiceRecord{{Name: "web-ams", State: StateUp}}))
}

// goodbye reads until the connection ends and returns the text of a Leaving, if there was one.
func (i *intruder) goodbye() string {
	_ = i.conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	for {
		h, err := i.in.header(MaxPayload)
		if err != nil {
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				i.t.Error("the connection was not ended")
			}
			return ""
		}
		p, err := i.in.payload(h)
		if err != nil {
			return ""
		}
		if h.kind == FrameLeaving {
			l, _ := decodeLeaving(p)
			return l.text
		}
	}
}

// TestHostileBytes sends what no honest site sends, before and after a valid Hello. Each is counted, logged once, answered
// with a closed connection, and disturbs neither the other peer nor a later honest connection.
func TestHostileBytes(t *testing.T) {
	established := func(send func(i *intruder) []byte) func(*intruder) []byte {
		return func(i *intruder) []byte { return append(i.hello(nil), send(i)...) }
	}
	raw := func(b []byte) func(*intruder) []byte { return func(*intruder) []byte { return b } }
	for _, c := range []struct {
		name string
		send func(*intruder) []byte
		want Rejection
	}{
		{"garbage", raw([]byte(strings.Repeat("garbage!", 10))), RejectSequence},
		{"http", raw([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")), RejectSequence},
		{"tls client hello", raw(append([]byte{0x16, 3, 1, 2, 0, 1, 0, 1}, make([]byte, 64)...)), RejectMalformed},
		{"nothing", raw(nil), RejectHandshake},
		{"half a header", raw([]byte{0, 0, 0, 9, 1}), RejectHandshake},
		{"hello of 4 GiB", raw([]byte{255, 255, 255, 255, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}), RejectOversize},
		{"hello above its limit", func(i *intruder) []byte { return i.frame(FrameHello, 0, make([]byte, MaxHello+1)) }, RejectOversize},
		{"no hello", func(i *intruder) []byte { return i.services(nil) }, RejectMalformed},
		{"hello of zeros", func(i *intruder) []byte { return i.frame(FrameHello, 0, make([]byte, 90)) }, RejectMalformed},
		{"unknown site", func(i *intruder) []byte { return i.hello(func(h *Hello) { h.Site = "eve" }) }, RejectUnknownSite},
		{"our own site", func(i *intruder) []byte { return i.hello(func(h *Hello) { h.Site = "nyc" }) }, RejectUnknownSite},
		{"site of another address", func(i *intruder) []byte { return i.hello(func(h *Hello) { h.Site = "sin" }) }, RejectWrongSite},
		{"later protocol only", func(i *intruder) []byte {
			return i.hello(func(h *Hello) { h.VersionMin, h.VersionMax = VersionMax+1, 255 })
		}, RejectVersion},
		{"second hello", established(func(i *intruder) []byte { return i.hello(nil) }), RejectMalformed},
		{"replay", established(func(i *intruder) []byte { b := i.services(nil); return append(b, b...) }), RejectSequence},
		{"set again", established(func(i *intruder) []byte {
			set := func(p *servicesPrefix) { p.set = 7 }
			return append(i.services(set), i.services(set)...)
		}), RejectSequence},
		{"another site's services", established(func(i *intruder) []byte { return i.services(func(p *servicesPrefix) { p.origin = "sin" }) }), RejectWrongSite},
		{"another incarnation's", established(func(i *intruder) []byte { return i.services(func(p *servicesPrefix) { p.incarnation++ }) }), RejectSequence},
		{"oversize", established(func(i *intruder) []byte {
			return []byte{0, 0x10, 0, 1, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}
		}), RejectOversize},
		{"garbage services", established(func(i *intruder) []byte { return i.frame(FrameServices, 0, make([]byte, 99)) }), RejectMalformed},
		{"garbage keepalive", established(func(i *intruder) []byte { return i.frame(FrameKeepAlive, 0, []byte("x")) }), RejectMalformed},
		{"heard what was never sent", established(func(i *intruder) []byte {
			return i.frame(FrameKeepAlive, 0, (&keepAlive{stamp: 1, clock: time.Unix(0, 0), heard: 1 << 40}).append(nil))
		}), RejectMalformed},
		{"flood of small frames", established(func(i *intruder) []byte {
			var b []byte
			for range frameBurst + 10 {
				b = append(b, i.frame(200, 0, nil)...)
			}
			return b
		}), RejectFlood},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { attack(t, c.send, c.want) })
		})
	}
}

// attack lets an intruder at the address of ams speak to nyc, which has a session with sin.
func attack(t *testing.T, send func(*intruder) []byte, want Rejection) {
	n := newMemNet()
	ams, nyc := newTestSite(t, n, "ams", "10.0.0.1", nil), newTestSite(t, n, "nyc", "10.0.0.2", nil)
	sin := newTestSite(t, n, "sin", "10.0.0.3", nil)
	nyc.run(ams, sin)
	defer nyc.stop()
	sin.run(nyc)
	defer sin.stop()
	pass(time.Second)
	i := intrude(t, n, "10.0.0.1")
	defer i.conn.Close()
	bytes := send(i)
	go func() { _, _ = i.conn.Write(bytes) }()
	i.goodbye()
	synctest.Wait()
	if got := nyc.Rejections(); got[want] != 1 || len(got) != 1 {
		t.Errorf("rejections: got %v, want one %s", got, want)
	}
	if got := nyc.logs.FilterField(zap.String("rejection", string(want))).All(); len(got) != 1 {
		t.Errorf("log lines about it: got %v, want one", got)
	}
	sin.wantStory("up nyc")
	nyc.Exchange.mu.Lock()
	pending := len(nyc.pending)
	nyc.Exchange.mu.Unlock()
	if pending != 0 {
		t.Errorf("handshakes pending: got %d, want none", pending)
	}
	ams.run(nyc)
	defer ams.stop()
	pass(6 * time.Second)
	if ams.last("nyc") == nil || nyc.last("ams") == nil || nyc.last("sin") == nil {
		t.Error("honest sites do not exchange services afterwards")
	}
}

func TestUnknownFramesAreSkipped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNet()
		ams, nyc := newTestSite(t, n, "ams", "10.0.0.1", nil), newTestSite(t, n, "nyc", "10.0.0.2", nil)
		nyc.run(ams)
		defer nyc.stop()
		synctest.Wait()
		i := intrude(t, n, "10.0.0.1")
		defer i.conn.Close()
		b := append(i.hello(nil), i.frame(FrameType(200), 0xff, make([]byte, 70_000))...)
		b = append(b, i.frame(250, 0, []byte("later"))...)
		b = append(b, i.services(nil)...)
		go func() { _, _ = io.Copy(io.Discard, i.conn) }()
		if _, err := i.conn.Write(b); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if r := nyc.last("ams"); r == nil || r.Records[0].Name != "web-ams" {
			t.Errorf("report after unknown frames: got %+v, want web-ams", r)
		}
	})
}

func TestRefusedPeerIsToldWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNet()
		ams, nyc := newTestSite(t, n, "ams", "10.0.0.1", nil), newTestSite(t, n, "nyc", "10.0.0.2", nil)
		nyc.run()
		defer nyc.stop()
		ams.run(nyc)
		defer ams.stop()
		pass(time.Minute)
		if got := ams.Peers()[0].LastError; !strings.Contains(got, `site "ams" is not in the document of site "nyc"`) {
			t.Errorf("last error: got %q, want the reason", got)
		}
		ams.wantStory()
		if got := ams.logs.FilterMessage("mep.unreachable").Len(); got > 2 {
			t.Errorf("log lines in a minute of refusals: got %d, want at most 2", got)
		}
	})
}

func TestSlowReaderIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNet()
		ams, nyc := newTestSite(t, n, "ams", "10.0.0.1", nil), newTestSite(t, n, "nyc", "10.0.0.2", nil)
		records := make([]ServiceRecord, 1000)
		for i := range records {
			records[i] = ServiceRecord{Name: fmt.Sprintf("service-%d", i), State: StateUp}
		}
		nyc.announce(records...)
		nyc.run(ams)
		defer nyc.stop()
		synctest.Wait()
		i := intrude(t, n, "10.0.0.1") // speaks, and never reads
		defer i.conn.Close()
		_, _ = i.conn.Write(i.hello(nil))
		for range 60 {
			_, _ = i.conn.Write(i.services(nil))
			pass(time.Second)
		}
		nyc.wantStory("up ams", "down ams")
		if got := nyc.Rejections()[RejectSlowReader]; got != 1 {
			t.Errorf("slow readers: got %d, want 1", got)
		}
	})
}

func TestUnprovedConnectionsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNet()
		ams, nyc := newTestSite(t, n, "ams", "10.0.0.1", nil), newTestSite(t, n, "nyc", "10.0.0.2", nil)
		nyc.run(ams)
		defer nyc.stop()
		synctest.Wait()
		var silent []*intruder
		for range 3 * maxHandshakesPerSource {
			silent = append(silent, intrude(t, n, "10.6.6.6"))
			synctest.Wait()
		}
		if got := nyc.Rejections()[RejectBusy]; got != 2*maxHandshakesPerSource {
			t.Errorf("turned away: got %d, want %d", got, 2*maxHandshakesPerSource)
		}
		ams.run(nyc) // from another address
		defer ams.stop()
		pass(time.Second)
		ams.wantStory("up nyc")
		pass(handshakeTimeout)
		if got := nyc.Rejections()[RejectHandshake]; got != maxHandshakesPerSource {
			t.Errorf("timed out: got %d, want %d", got, maxHandshakesPerSource)
		}
		for _, i := range silent {
			_ = i.conn.Close()
		}
	})
}

// TestManyStrangersDoNotKeepASiteOut: each stays below the limit of one address, all together take every place.
func TestManyStrangersDoNotKeepASiteOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNet()
		ams, nyc := newTestSite(t, n, "ams", "10.0.0.1", nil), newTestSite(t, n, "nyc", "10.0.0.2", nil)
		nyc.run(ams)
		defer nyc.stop()
		synctest.Wait()
		for stranger := range maxHandshakes / maxHandshakesPerSource {
			for range maxHandshakesPerSource {
				i := intrude(t, n, fmt.Sprintf("10.6.6.%d", stranger))
				defer i.conn.Close()
				synctest.Wait()
			}
		}
		defer intrude(t, n, "10.6.7.1").conn.Close()
		synctest.Wait()
		if got := nyc.Rejections()[RejectBusy]; got != 1 {
			t.Errorf("turned away: got %d, want the last stranger", got)
		}
		ams.run(nyc)
		defer ams.stop()
		pass(time.Second)
		ams.wantStory("up nyc")
	})
}

func TestLogOfRefusalsIsBounded(t *testing.T) {
	var told tally
	now := time.Now()
	lines := 0
	for i := range 3 * maxLogKeys {
		if !told.quiet(fmt.Sprint("stranger ", i), now) {
			lines++
		}
	}
	if lines != maxLogKeys {
		t.Errorf("lines within a minute: got %d, want %d", lines, maxLogKeys)
	}
	if told.quiet("a minute later", now.Add(logQuiet)) {
		t.Error("a minute later nothing is told either")
	}
}

func TestOlderInstanceOfASiteIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNet()
		ams, nyc := twoSites(t, n, nil)
		defer nyc.stop()
		defer ams.stop()
		pass(time.Second)
		i := intrude(t, n, "10.0.0.1")
		defer i.conn.Close()
		_, _ = i.conn.Write(i.hello(func(h *Hello) { h.Incarnation = 1 }))
		if got := i.goodbye(); !strings.Contains(got, "a newer instance of it") {
			t.Errorf("older instance: told %q, want why", got)
		}
		synctest.Wait()
		nyc.wantStory("up ams")
		if got := nyc.Rejections()[RejectDuplicate]; got != 1 {
			t.Errorf("duplicates: got %d, want 1", got)
		}
	})
}
