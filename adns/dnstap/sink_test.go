package dnstap

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func message(text string) *Message {
	return &Message{Protocol: UDP, Client: netip.MustParseAddrPort("192.0.2.7:5353"), QueryTime: 1, ResponseTime: 2, Wire: []byte(text)}
}

// collector is the other end of connections in memory.
type collector struct {
	mu    sync.Mutex
	got   []tapped
	dials []time.Time
	// refuse says which dials fail, by number from 1.
	refuse func(n int) bool
	// deaf makes it read nothing after the handshake.
	deaf bool
	// pace is the time before each read after the handshake.
	pace time.Duration
	// leave makes it close after so many messages of a connection; 0: never.
	leave int
	ends  []error
}

func (c *collector) dial(context.Context, string, string) (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dials = append(c.dials, time.Now())
	if c.refuse != nil && c.refuse(len(c.dials)) {
		return nil, errors.New("refused")
	}
	ours, theirs := net.Pipe()
	go c.serve(ours)
	return theirs, nil
}

func (c *collector) serve(conn net.Conn) {
	defer conn.Close()
	err := c.collect(conn)
	c.mu.Lock()
	c.ends = append(c.ends, err)
	c.mu.Unlock()
}

func (c *collector) collect(conn net.Conn) error {
	if ready, err := readControl(conn); err != nil || ready.kind != controlReady {
		return errors.Join(errors.New("no READY"), err)
	}
	if _, err := conn.Write(appendControl(nil, controlAccept)); err != nil {
		return err
	}
	if start, err := readControl(conn); err != nil || start.kind != controlStart {
		return errors.Join(errors.New("no START"), err)
	}
	if c.deaf {
		time.Sleep(time.Hour)
		return nil
	}
	n := 0
	err := readFrames(&paced{conn, c.pace}, func(m tapped) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.got = append(c.got, m)
		if n++; n == c.leave {
			conn.Close()
		}
	})
	if err != nil {
		return err
	}
	_, err = conn.Write(appendControl(nil, controlFinish))
	return err
}

// paced waits before each read.
type paced struct {
	net.Conn
	pace time.Duration
}

func (p *paced) Read(b []byte) (int, error) {
	time.Sleep(p.pace)
	return p.Conn.Read(b)
}

// messages returns what has come in, as one word.
func (c *collector) messages() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	for _, m := range c.got {
		b.WriteString(m.Query + m.Response)
	}
	return b.String()
}

// start runs a sink and returns what ends it.
func start(t *testing.T, o Options) (*Sink, func()) {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	return s, func() {
		cancel()
		<-done
	}
}

func TestSinkWritesWhatIsChosen(t *testing.T) {
	for _, c := range []struct {
		name               string
		queries, responses bool
		want               string
	}{
		{"queries", true, false, "q"},
		{"responses", false, true, "r"},
		{"both", true, true, "qr"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				far := &collector{}
				s, stop := start(t, Options{TCP: "collector:6000", Dial: far.dial, Queries: c.queries, Responses: c.responses})
				source := s.Source()
				source.Query(message("q"))
				source.Response(message("r"))
				synctest.Wait()
				if got := far.messages(); got != "" {
					t.Errorf("before the flush: got %q", got)
				}
				source.Flush()
				time.Sleep(2 * writeInterval)
				synctest.Wait()
				if got := far.messages(); got != c.want {
					t.Errorf("got %q, want %q", got, c.want)
				}
				stop()
				synctest.Wait()
				if len(far.ends) != 1 || far.ends[0] != nil {
					t.Errorf("end of the stream: %v, want STOP and FINISH", far.ends)
				}
				st := s.Stats()
				if st.Sent != uint64(len(c.want)) || st.Dropped != 0 || st.Connects != 1 || st.Bytes == 0 {
					t.Errorf("got %+v", st)
				}
			})
		})
	}
}

func TestSinkWritesTheRestAtItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := &collector{}
		s, stop := start(t, Options{Socket: "/run/collector", Dial: far.dial, Responses: true})
		synctest.Wait() // connected
		source := s.Source()
		for range 5000 {
			source.Response(message("x"))
		}
		source.Flush()
		stop()
		synctest.Wait()
		if got := far.messages(); len(got) != 5000 || s.Stats().Sent != 5000 {
			t.Errorf("got %d messages, %+v; want 5000", len(got), s.Stats())
		}
	})
}

func TestSinkComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := &collector{refuse: func(n int) bool { return n <= 8 }}
		s, stop := start(t, Options{TCP: "collector:6000", Dial: far.dial, Responses: true})
		defer stop()
		source := s.Source()
		source.Response(message("early"))
		source.Flush()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if got, want := far.messages(), "early"; got != want {
			t.Errorf("got %q, want %q: what waited when the collector came back", got, want)
		}
		want := retryMin
		for i := range 8 {
			if got := far.dials[i+1].Sub(far.dials[i]); got < want/2 || got > want {
				t.Errorf("pause %d: got %v, want %v to %v", i+1, got, want/2, want)
			}
			want = min(2*want, retryMax)
		}
	})
}

// TestSinkLeavesOneThatCloses has a collector that takes one message and goes.
func TestSinkLeavesOneThatCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := &collector{leave: 1}
		s, stop := start(t, Options{TCP: "collector:6000", Dial: far.dial, Responses: true})
		defer stop()
		source := s.Source()
		for range 3 {
			source.Response(message("x"))
			source.Flush()
			time.Sleep(2 * time.Minute)
		}
		synctest.Wait()
		if got := far.messages(); got != "xxx" || s.Stats().Connects < 3 {
			t.Errorf("got %q over %d connections, want xxx over 3 or more", got, s.Stats().Connects)
		}
	})
}

func TestSinkDropsWhatHasNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := &collector{refuse: func(int) bool { return true }}
		s, stop := start(t, Options{TCP: "collector:6000", Dial: far.dial, Responses: true, Queue: MinQueue})
		source := s.Source()
		for range MinQueue + 100 {
			source.Response(message("x"))
			source.Flush()
		}
		if got := s.Stats().Dropped; got != 100 {
			t.Errorf("dropped: got %d, want 100", got)
		}
		stop()
		if got := s.Stats(); got.Dropped != MinQueue+100 || got.Sent != 0 {
			t.Errorf("after the end: got %+v, want %d dropped", got, MinQueue+100)
		}
	})
}

// TestQueueBoundsItsMemory fills it with messages that are longer than the limit expects.
func TestQueueBoundsItsMemory(t *testing.T) {
	s, err := New(Options{File: "unused", Responses: true, Queue: MinQueue})
	if err != nil {
		t.Fatal(err)
	}
	source := s.Source()
	for range MinQueue {
		source.Response(message(strings.Repeat("x", MaxWireOctets)))
	}
	source.Flush()
	if got, want := len(s.queue.chunks), max(minChunks, MinQueue*octetsPerMessage/chunkOctets); got != want {
		t.Errorf("got %d chunks, want %d", got, want)
	}
	if s.Stats().Dropped == 0 {
		t.Error("nothing was dropped")
	}
}

// TestSinkLeavesOneThatDoesNotRead has a collector that stalls: the stream ends, queries never wait.
func TestSinkLeavesOneThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := &collector{deaf: true}
		s, stop := start(t, Options{TCP: "collector:6000", Dial: far.dial, Responses: true, Queue: MinQueue})
		synctest.Wait()
		source := s.Source()
		began := time.Now()
		for range 10 * MinQueue {
			source.Response(message("x"))
			source.Flush()
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("queries waited %v for the collector", took)
		}
		time.Sleep(writeInterval + writeTimeout + retryMin + goodbyeTimeout)
		synctest.Wait()
		if got := s.Stats(); got.Connects < 2 || got.Sent != 0 {
			t.Errorf("got %+v, want a second connection", got)
		}
		stop()
		time.Sleep(2 * time.Hour) // the collector's goroutines end
	})
}

// TestSinkEndsWithASlowCollector has one that takes each chunk just in time: what is queued does not hold up the end.
func TestSinkEndsWithASlowCollector(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := &collector{pace: (writeTimeout - time.Second) / 2}
		s, stop := start(t, Options{TCP: "collector:6000", Dial: far.dial, Responses: true, Queue: MaxQueue})
		synctest.Wait()
		source := s.Source()
		for range 100 {
			source.Response(message(strings.Repeat("x", MaxWireOctets)))
		}
		source.Flush()
		time.Sleep(3 * writeTimeout)
		began := time.Now()
		stop()
		if took, st := time.Since(began), s.Stats(); took > 2*goodbyeTimeout || st.Sent == 0 || st.Sent+st.Dropped != 100 {
			t.Errorf("ending took %v, %+v", took, st)
		}
		time.Sleep(time.Minute) // the collector's goroutine ends
	})
}

// TestSinkEndsInAHandshake has a collector that accepts connections and says nothing.
func TestSinkEndsInAHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var far net.Conn
		s, stop := start(t, Options{TCP: "collector:6000", Responses: true,
			Dial: func(context.Context, string, string) (net.Conn, error) {
				ours, theirs := net.Pipe()
				far = ours
				return theirs, nil
			}})
		synctest.Wait()
		began := time.Now()
		stop()
		if took := time.Since(began); took != 0 || s.Stats().Connects != 0 {
			t.Errorf("ending took %v, %+v", took, s.Stats())
		}
		far.Close()
	})
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		o    Options
		want string
	}{
		{"no output", Options{Queries: true}, "0 outputs"},
		{"two outputs", Options{Queries: true, Socket: "a", File: "b"}, "2 outputs"},
		{"no messages", Options{TCP: "a:1"}, "neither queries nor responses"},
		{"a short queue", Options{TCP: "a:1", Queries: true, Queue: 1}, "a queue of 1 messages"},
		{"a long queue", Options{TCP: "a:1", Queries: true, Queue: MaxQueue + 1}, "a queue of 1048577 messages"},
		{"a long identity", Options{TCP: "a:1", Queries: true, Identity: strings.Repeat("i", 256)}, "identity has 256 octets"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := New(c.o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestSourceRefusesWhatDNSCannotCarry(t *testing.T) {
	s, err := New(Options{File: "unused", Responses: true})
	if err != nil {
		t.Fatal(err)
	}
	source := s.Source()
	source.Response(message(strings.Repeat("x", MaxWireOctets+1)))
	m := message("x")
	m.Zone = make([]byte, maxZoneOctets+1)
	source.Response(m)
	if got := s.Stats().Dropped; got != 2 || source.messages != 0 {
		t.Errorf("dropped %d, kept %d; want 2 and 0", got, source.messages)
	}
}

// TestSourceAllocatesNothing measures what a query pays, batches and a queue that is emptied included.
func TestSourceAllocatesNothing(t *testing.T) {
	s, err := New(Options{File: "unused", Responses: true})
	if err != nil {
		t.Fatal(err)
	}
	source := s.Source()
	m := message(strings.Repeat("x", 100))
	one := func() {
		source.Response(m)
		source.Flush()
		if c := s.queue.take(); c != nil {
			s.queue.giveBack(c)
		}
	}
	one()
	if n := testing.AllocsPerRun(100, one); n != 0 {
		t.Errorf("got %v allocations, want none", n)
	}
}

func BenchmarkSource(b *testing.B) {
	for _, c := range []struct {
		name  string
		batch int
	}{{"batch of 1", 1}, {"batch of 32", 32}} {
		b.Run(c.name, func(b *testing.B) {
			s, err := New(Options{File: "unused", Responses: true, Identity: "ns1.example.com", Version: "fairlead 1"})
			if err != nil {
				b.Fatal(err)
			}
			source := s.Source()
			m := message(strings.Repeat("x", 60))
			m.Server = netip.MustParseAddrPort("198.51.100.53:53")
			m.QueryTime, m.ResponseTime = 1_700_000_000_000_000_007, 1_700_000_000_000_012_345
			b.ReportAllocs()
			for i := range b.N {
				source.Response(m)
				if i%c.batch == 0 {
					source.Flush()
				}
				if i%1024 == 0 {
					for c := s.queue.take(); c != nil; c = s.queue.take() {
						s.queue.giveBack(c)
					}
				}
			}
		})
	}
}
