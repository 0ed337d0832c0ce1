package ldns

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a carrier in memory: resolvers answer after a time, by kind, or not at all.
type world struct {
	prober  *Prober
	times   map[netip.Addr][kinds]time.Duration // 0: silent
	lacking [kinds]bool                         // cannot be sent
	refuses [kinds]bool                         // sending fails
	sent    []packet
}

type packet struct {
	kind Kind
	to   netip.Addr
	at   time.Time
}

func (w *world) can(k Kind, _ bool) bool { return !w.lacking[k] }
func (w *world) close()                  {}

func (w *world) send(k Kind, to netip.Addr, token uint64) error {
	w.sent = append(w.sent, packet{k, to, time.Now()})
	if w.refuses[k] {
		return errors.New("no way there")
	}
	if took := w.times[to][k]; took > 0 {
		time.AfterFunc(took, func() { w.prober.answered(k, to, token, ^uint64(0), time.Now(), 0) })
	}
	return nil
}

// rest sleeps until everything up to then is done.
func rest(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// kindsSent lists what was sent to a resolver.
func (w *world) kindsSent(to netip.Addr) (out []Kind) {
	for _, p := range w.sent {
		if p.to == to {
			out = append(out, p.kind)
		}
	}
	return out
}

// bubble runs f with a Prober over a world, and ends it.
func bubble(t *testing.T, s Settings, f func(t *testing.T, w *world, found *[]Measurement)) {
	t.Helper()
	if s.Order == nil {
		s.Order = []Kind{Ping, DNS, TCP}
	}
	synctest.Test(t, func(t *testing.T) {
		var found []Measurement
		w := &world{times: map[netip.Addr][kinds]time.Duration{}}
		w.prober = newProber(Options{Settings: s, Measured: func(m Measurement) { found = append(found, m) }})
		w.prober.carrier = w
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.prober.Run(ctx) }()
		f(t, w, &found)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestRounds(t *testing.T) {
	const ms = time.Millisecond
	a := netip.MustParseAddr("9.9.9.9")
	for _, tt := range []struct {
		name   string
		order  []Kind
		times  [kinds]time.Duration
		change func(*world)
		sent   []Kind
		rtt    time.Duration // 0: silent
	}{
		{"ping", nil, [kinds]time.Duration{Ping: 20 * ms, DNS: ms}, nil, []Kind{Ping, Ping, Ping}, 20 * ms},
		{"ping is silent", nil, [kinds]time.Duration{DNS: 30 * ms}, nil, []Kind{Ping, DNS, DNS}, 30 * ms},
		{"TCP alone", nil, [kinds]time.Duration{TCP: 40 * ms}, nil, []Kind{Ping, DNS, TCP}, 40 * ms},
		{"nothing", nil, [kinds]time.Duration{}, nil, []Kind{Ping, DNS, TCP}, 0},
		{"another order", []Kind{DNS, Ping}, [kinds]time.Duration{Ping: ms}, nil, []Kind{DNS, Ping, Ping}, ms},
		{"TCP once", []Kind{TCP}, [kinds]time.Duration{TCP: ms}, nil, []Kind{TCP}, ms},
		{"no socket", nil, [kinds]time.Duration{DNS: ms}, func(w *world) { w.lacking[Ping] = true }, []Kind{DNS, DNS, DNS}, ms},
		{"too late", []Kind{DNS}, [kinds]time.Duration{DNS: silence + ms}, nil, []Kind{DNS}, 0},
		{"not sent", nil, [kinds]time.Duration{DNS: ms}, func(w *world) { w.refuses[Ping] = true }, []Kind{Ping, DNS, DNS}, ms},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, Settings{Rate: 100, Order: tt.order}, func(t *testing.T, w *world, found *[]Measurement) {
				w.times[a] = tt.times
				if tt.change != nil {
					tt.change(w)
				}
				if r := w.prober.Want(a, false); r != NotRefused {
					t.Fatalf("refused: %s", r)
				}
				rest(5 * time.Second)
				if got := w.kindsSent(a); !slices.Equal(got, tt.sent) {
					t.Errorf("sent %v, want %v", got, tt.sent)
				}
				stats := w.prober.Stats()
				if tt.rtt == 0 {
					if len(*found) != 0 || stats.Silent != 1 || w.prober.Want(a, false) != Silent {
						t.Errorf("found %v, %d silent, and it may be asked again", *found, stats.Silent)
					}
				} else if len(*found) != 1 || (*found)[0].RTT != tt.rtt || (*found)[0].LDNS != a || (*found)[0].Kind != tt.sent[len(tt.sent)-1] {
					t.Errorf("found %v, want %v once", *found, tt.rtt)
				}
				if stats.Waiting != 0 || stats.Flying != 0 || len(w.prober.rounds) != 0 {
					t.Errorf("something is left: %+v", stats)
				}
			})
		})
	}
}

// TestWhatAnsweredIsAskedFirst: the next round begins with the kind that the last one ended with, and a resolver that fell silent
// is left alone for longer each time.
func TestWhatAnsweredIsAskedFirst(t *testing.T) {
	a := netip.MustParseAddr("9.9.9.9")
	bubble(t, Settings{Rate: 100}, func(t *testing.T, w *world, found *[]Measurement) {
		w.times[a] = [kinds]time.Duration{TCP: time.Millisecond}
		for range 2 {
			w.prober.Want(a, false)
			rest(10 * time.Second)
		}
		if got, want := w.kindsSent(a), []Kind{Ping, DNS, TCP, TCP}; !slices.Equal(got, want) || len(*found) != 2 {
			t.Errorf("sent %v, want %v", got, want)
		}
		delete(w.times, a)
		began, rounds := time.Now(), []time.Duration(nil)
		for time.Since(began) < 8*time.Hour {
			if w.prober.Want(a, true) == NotRefused {
				rounds = append(rounds, time.Since(began).Round(10*time.Minute))
			}
			rest(10 * time.Second)
		}
		if len(rounds) < 10 || len(rounds) > 15 || rounds[len(rounds)-1]-rounds[len(rounds)-2] < 50*time.Minute {
			t.Errorf("rounds while it is silent for 8 h: %v", rounds)
		}
	})
}

// TestFlood: forged sources of 100,000 resolvers cause no more packets than the rate, three at most to one of them, and no
// more memory than is bounded; one that is proven is measured meanwhile.
func TestFlood(t *testing.T) {
	const rate, seconds = 100, 60
	honest := netip.MustParseAddr("9.9.9.9")
	bubble(t, Settings{Rate: rate}, func(t *testing.T, w *world, found *[]Measurement) {
		w.times[honest] = [kinds]time.Duration{Ping: 15 * time.Millisecond}
		began := time.Now()
		for second := range seconds {
			for n := range 100_000 / seconds {
				n += second * 100_000 / seconds
				w.prober.Want(netip.AddrFrom4([4]byte{64 + byte(n>>16), byte(n >> 8), byte(n), 53}), false)
			}
			if second == seconds/2 {
				w.prober.Want(honest, true)
			}
			rest(time.Second)
		}
		in := func(from, to time.Duration) (n int) {
			for _, p := range w.sent {
				if at := p.at.Sub(began); at >= from && at < to {
					n++
				}
			}
			return n
		}
		most := rate + rate/burstShare + 1
		for second := range time.Duration(seconds) {
			if n := in(second*time.Second, (second+1)*time.Second); n > most {
				t.Errorf("second %d: %d packets, want at most %d", second, n, most)
			}
		}
		if n := len(w.sent); n > rate*seconds+rate/burstShare+1 || n < rate*seconds*9/10 {
			t.Errorf("%d packets in %d s at %d a second", n, seconds, rate)
		}
		each := map[netip.Addr]int{}
		for _, p := range w.sent {
			if each[p.to]++; each[p.to] > MaxPackets {
				t.Fatalf("%d packets to %s", each[p.to], p.to)
			}
		}
		if len(*found) != 1 || (*found)[0].LDNS != honest || (*found)[0].At.Sub(began) > (seconds/2+2)*time.Second {
			t.Errorf("the one that is proven: %v", *found)
		}
		if s := w.prober.Stats(); s.Waiting > 2*maxWaiting || s.Known > 2*maxMemories || s.Refused[Full] == 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestOneNetwork: who forges the addresses of one network has few of it measured, and takes nothing from others.
func TestOneNetwork(t *testing.T) {
	for _, tt := range []struct {
		name string
		at   func(n int) netip.Addr
	}{
		{"IPv4 /24", func(n int) netip.Addr { return netip.AddrFrom4([4]byte{9, 9, 9, byte(n)}) }},
		{"IPv6 /56", func(n int) netip.Addr {
			return netip.MustParseAddr(fmt.Sprintf("2600:1:2:3%02x::%x", n%256, n))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, Settings{Rate: 1000, PrefixRate: 1}, func(t *testing.T, w *world, _ *[]Measurement) {
				taken := 0
				for n := range 200 {
					if w.prober.Want(tt.at(n), true) == NotRefused {
						taken++
					}
					rest(50 * time.Millisecond)
				}
				if taken < 10 || taken > 10+networkBurst {
					t.Errorf("%d of one network in 10 s, want about 10", taken)
				}
				if got := w.prober.Want(netip.MustParseAddr("8.8.8.8"), false); got != NotRefused {
					t.Errorf("one of another network: %s", got)
				}
			})
		})
	}
}

func TestWhoIsNotMeasured(t *testing.T) {
	s := Settings{Rate: 100, Allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("2001:db8:1::/48")},
		Deny: []netip.Prefix{netip.MustParsePrefix("10.1.2.0/24"), netip.MustParsePrefix("9.0.0.0/8")},
		Own:  []netip.Addr{netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("10.1.0.1")}}
	bubble(t, s, func(t *testing.T, w *world, _ *[]Measurement) {
		for ldns, want := range map[string]Refusal{
			"1.1.1.1": NotRefused, "::ffff:1.0.0.1": NotRefused, "2606:4700::1111": NotRefused, "10.1.3.4": NotRefused, "10.1.0.1": NotRefused,
			"2001:db8:1::53": NotRefused, "192.0.1.1": NotRefused, "223.255.255.1": NotRefused, "172.32.0.1": NotRefused,
			"8.8.8.8": Own, "10.1.2.3": Denied, "9.9.9.9": Denied,
			"10.2.0.1": Reserved, "127.0.0.1": Reserved, "::1": Reserved, "::": Reserved, "0.0.0.0": Reserved, "169.254.1.1": Reserved,
			"100.64.0.1": Reserved, "172.16.0.1": Reserved, "192.168.1.1": Reserved, "192.0.2.1": Reserved, "198.51.100.1": Reserved,
			"203.0.113.1": Reserved, "198.19.0.1": Reserved, "192.88.99.1": Reserved, "224.0.0.1": Reserved, "255.255.255.255": Reserved,
			"240.0.0.1": Reserved, "fe80::1%eth0": Reserved, "fc00::1": Reserved, "ff02::1": Reserved, "2001:db8::1": Reserved,
			"2002:102:304::1": Reserved, "2001::1": Reserved, "3fff:1::1": Reserved, "64:ff9b::1": Reserved, "4000::1": Reserved,
		} {
			if got := w.prober.Want(netip.MustParseAddr(ldns), true); got != want {
				t.Errorf("%s: got %q, want %q", ldns, got, want)
			}
		}
		if got := w.prober.Want(netip.Addr{}, true); got != Unavailable {
			t.Errorf("no address: %q", got)
		}
		w.prober.Set(Settings{Order: s.Order})
		if got := w.prober.Want(netip.MustParseAddr("4.4.4.4"), true); got != Unavailable {
			t.Errorf("at rate 0: %q", got)
		}
	})
}

// TestRateChanges: what waits is sent at the rate that counts now.
func TestRateChanges(t *testing.T) {
	bubble(t, Settings{Rate: 0}, func(t *testing.T, w *world, _ *[]Measurement) {
		set := func(rate int) { w.prober.Set(Settings{Rate: rate, Order: []Kind{DNS}}) }
		set(1)
		for n := range 50 {
			w.prober.Want(netip.AddrFrom4([4]byte{9, 9, byte(n), 9}), false)
		}
		rest(10 * time.Second)
		if n := len(w.sent); n < 10 || n > 11 {
			t.Errorf("%d packets in 10 s at 1 a second", n)
		}
		set(0)
		rest(time.Minute)
		if n := len(w.sent); n > 11 {
			t.Errorf("%d packets, want none at rate 0", n)
		}
		set(20)
		rest(3 * time.Second)
		if n := len(w.sent); n != 50 {
			t.Errorf("%d packets, want all 50", n)
		}
	})
}

// TestForgedAnswers: an answer with another token, of another kind or from another address counts nowhere.
func TestForgedAnswers(t *testing.T) {
	a := netip.MustParseAddr("9.9.9.9")
	bubble(t, Settings{Rate: 100, Order: []Kind{DNS}}, func(t *testing.T, w *world, found *[]Measurement) {
		w.prober.Want(a, false)
		synctest.Wait()
		w.prober.mu.Lock()
		token := w.prober.rounds[a].token
		w.prober.mu.Unlock()
		w.prober.answered(DNS, a, token+1, dnsTokenMask, time.Now(), 0)
		w.prober.answered(Ping, a, token, ^uint64(0), time.Now(), 0)
		w.prober.answered(DNS, netip.MustParseAddr("9.9.9.8"), token, dnsTokenMask, time.Now(), 0)
		rest(2 * time.Second)
		w.prober.answered(DNS, a, token, dnsTokenMask, time.Now(), 0) // too late
		if s := w.prober.Stats(); len(*found) != 0 || s.Strays != 4 {
			t.Errorf("found %v, %d strays, want none and 4", *found, s.Strays)
		}
	})
}

func TestParseKinds(t *testing.T) {
	if got, err := ParseKinds(nil); err != nil || !slices.Equal(got, []Kind{Ping, DNS, TCP}) {
		t.Errorf("by default: %v, %v", got, err)
	}
	if got, err := ParseKinds([]string{"tcp", "ping"}); err != nil || !slices.Equal(got, []Kind{TCP, Ping}) {
		t.Errorf("tcp, ping: %v, %v", got, err)
	}
	if _, err := ParseKinds([]string{"udp"}); err == nil {
		t.Error("udp is a kind")
	}
}

func TestMemoriesAreBounded(t *testing.T) {
	var m memories
	for n := range 5 * maxMemories {
		m.silent(netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}), time.Unix(0, 0))
	}
	if m.len() > 2*maxMemories || m.len() < maxMemories {
		t.Errorf("%d are remembered", m.len())
	}
}
