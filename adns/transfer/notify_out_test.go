package transfer

import (
	"context"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// listener is a server that is told of new versions, in a bubble. Every dial is one try.
type listener struct {
	mu      sync.Mutex
	serials []uint32    // of the NOTIFY that came
	at      []time.Time // when they did
	answer  func(try int, request *dns.Msg) []*dns.Msg
}

func (l *listener) dial(_ context.Context, network, address string) (net.Conn, error) {
	if network != "udp" || address != "192.0.2.99:53" {
		return nil, &net.AddrError{Err: "not the target", Addr: network + " " + address}
	}
	near, far := net.Pipe()
	go l.serve(far)
	return near, nil
}

// told returns the serials that came, and when.
func (l *listener) told() (serials []uint32, at []time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.serials), slices.Clone(l.at)
}

// serve answers what comes by one connection.
func (l *listener) serve(conn net.Conn) {
	defer conn.Close()
	buf := make([]byte, maxMessage)
	n, err := conn.Read(buf)
	if err != nil {
		return
	}
	request := new(dns.Msg)
	if request.Unpack(buf[:n]) != nil || request.Opcode != dns.OpcodeNotify || len(request.Answer) != 1 {
		return
	}
	l.mu.Lock()
	try := len(l.serials)
	l.serials, l.at = append(l.serials, request.Answer[0].(*dns.SOA).Serial), append(l.at, time.Now())
	l.mu.Unlock()
	for _, m := range l.answer(try, request) {
		if packed, err := m.Pack(); err == nil {
			_, _ = conn.Write(packed)
		}
	}
	_, _ = conn.Read(buf) // until the other end closes
}

// TestNotifyOut: a server is told until it answers, five times at most and less often each time. What is no answer to the
// message does not end the wait, and a refusal is an answer.
func TestNotifyOut(t *testing.T) {
	reply := func(rcode int) func(int, *dns.Msg) []*dns.Msg {
		return func(_ int, q *dns.Msg) []*dns.Msg { return []*dns.Msg{new(dns.Msg).SetRcode(q, rcode)} }
	}
	changed := func(change func(*dns.Msg)) func(int, *dns.Msg) []*dns.Msg {
		return func(_ int, q *dns.Msg) []*dns.Msg {
			bad := new(dns.Msg).SetReply(q)
			change(bad)
			return []*dns.Msg{bad}
		}
	}
	for name, c := range map[string]struct {
		answer   func(int, *dns.Msg) []*dns.Msg
		tries    int
		answered bool
	}{
		"answers":         {reply(dns.RcodeSuccess), 1, true},
		"refuses":         {reply(dns.RcodeRefused), 1, false},
		"not implemented": {reply(dns.RcodeNotImplemented), 1, false},
		"is silent":       {func(int, *dns.Msg) []*dns.Msg { return nil }, notifyTries, false},
		"answers the third": {func(try int, q *dns.Msg) []*dns.Msg {
			if try < 2 {
				return nil
			}
			return []*dns.Msg{new(dns.Msg).SetReply(q)}
		}, 3, true},
		"another ID":     {changed(func(m *dns.Msg) { m.Id++ }), notifyTries, false},
		"another opcode": {changed(func(m *dns.Msg) { m.Opcode = dns.OpcodeQuery }), notifyTries, false},
		"no response":    {changed(func(m *dns.Msg) { m.Response = false }), notifyTries, false},
		"forgeries before the answer": {func(_ int, q *dns.Msg) []*dns.Msg {
			forged := new(dns.Msg).SetRcode(q, dns.RcodeRefused)
			forged.Id++
			return []*dns.Msg{forged, forged, new(dns.Msg).SetReply(q)}
		}, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &listener{answer: c.answer}
				tr := New(Options{Dial: l.dial})
				defer running(t, tr)()
				tr.Published(document(t, "nameservers: [ns.example.net], transfer: {notify: [192.0.2.99]}"), source{newZone(t, 1)})
				time.Sleep(5 * time.Minute)
				serials, at := l.told()
				if len(serials) != c.tries {
					t.Errorf("%d tries, want %d", len(serials), c.tries)
				}
				pause := time.Duration(0)
				for i := 1; i < len(at); i++ {
					next := at[i].Sub(at[i-1])
					if next <= pause || next < firstNotifyWait/2 {
						t.Errorf("try %d came %v after the one before, that one %v after its", i, next, pause)
					}
					pause = next
				}
				st := tr.Stats()
				if got := st.Notified == 1 && st.Unanswered == 0; got != c.answered {
					t.Errorf("counted %d answered and %d given up, want an answer %v", st.Notified, st.Unanswered, c.answered)
				}
			})
		})
	}
}

// TestNotifyOutIsBounded: what has no room is not queued, and that is said.
func TestNotifyOutIsBounded(t *testing.T) {
	core, logs := observer.New(zap.WarnLevel)
	tr := New(Options{Logger: zap.New(core)})
	tr.notices.pending = map[notice]*dns.SOA{}
	for i := range MaxNotices - 1 {
		tr.notices.pending[notice{zone: strconv.Itoa(i)}] = nil
	}
	doc := document(t, "nameservers: [ns.example.net], transfer: {notify: [192.0.2.98, 192.0.2.99, 192.0.2.100]}")
	tr.Published(doc, source{newZone(t, 1)})
	said := logs.FilterMessage("dns.notify.dropped").All()
	if len(tr.notices.pending) != MaxNotices || len(said) != 1 || said[0].ContextMap()["messages"] != int64(2) {
		t.Errorf("%d wait, said %v; want %d, and that 2 were dropped", len(tr.notices.pending), said, MaxNotices)
	}
}

// TestNotifyOutTellsTheNewest: a version that comes while an older one is being told is told after it, and a serial that does
// not rise is not told.
func TestNotifyOutTellsTheNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &listener{answer: func(try int, q *dns.Msg) []*dns.Msg {
			if try == 0 {
				return nil
			}
			return []*dns.Msg{new(dns.Msg).SetReply(q)}
		}}
		tr := New(Options{Dial: l.dial})
		defer running(t, tr)()
		doc := document(t, "nameservers: [ns.example.net], transfer: {notify: [192.0.2.99]}")
		tr.Published(doc, source{newZone(t, 1)})
		time.Sleep(time.Second)
		tr.Published(doc, source{newZone(t, 2)})
		time.Sleep(time.Minute)
		for _, serial := range []uint32{2, 1} { // the same, and one that goes back
			tr.Published(doc, source{newZone(t, serial)})
			time.Sleep(time.Minute)
		}
		if serials, _ := l.told(); !slices.Equal(serials, []uint32{1, 1, 2}) {
			t.Errorf("told %v, want 1 until it is answered, then 2", serials)
		}
	})
}

// running runs transfers until the function that it returns is called.
func running(t *testing.T, tr *Transfers) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- tr.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}
