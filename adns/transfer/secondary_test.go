package transfer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/config"

	"github.com/miekg/dns"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// lab is a secondary of a primary, in a bubble.
type lab struct {
	t         *testing.T
	primary   *primary
	secondary *Secondary
	logs      *observer.ObservedLogs

	mu        sync.Mutex
	published []string // what Records said when Publish was called
	refuse    error
	judge     func(served string) error // refuses what it returns an error for; nil: nothing
}

// newLab starts a secondary whose document names 192.0.2.1 as primary, with a key if keys are given.
func newLab(t *testing.T, dir string, keys *Keys, zone *memoryZone) *lab {
	core, logs := observer.New(zap.InfoLevel)
	l := &lab{t: t, primary: newPrimary(t, keys), logs: logs}
	if zone != nil {
		l.primary.publish(zone)
	}
	l.secondary = NewSecondary(SecondaryOptions{Keys: keys, Dir: dir, Publish: l.publish, Dial: l.primary.dial, Logger: zap.New(core)})
	primaries := "[192.0.2.1]"
	if keys != nil {
		primaries = "[{address: 192.0.2.1, key: fetch}]"
	}
	l.secondary.Adopt(secondaryOf(t, primaries))
	return l
}

func (l *lab) publish(zone string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuse != nil {
		return l.refuse
	}
	if l.judge != nil {
		if err := l.judge(l.served()); err != nil {
			return err
		}
	}
	l.published = append(l.published, l.served())
	return nil
}

// served is the serial and the data of www that the zone has; "nothing" without data.
func (l *lab) served() string {
	records, ok := l.secondary.Records(&config.Zone{Name: "example.test."})
	if !ok {
		return "nothing"
	}
	out := ""
	for _, rr := range records {
		switch rr := rr.(type) {
		case *dns.SOA:
			out = fmt.Sprint(rr.Serial)
		case *dns.A:
			if rr.Hdr.Name == "www.example.test." {
				out += " " + rr.A.String()
			}
		}
	}
	return out
}

// run starts the secondary; the function it returns stops it.
func (l *lab) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.secondary.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			l.t.Errorf("Run: %v", err)
		}
	}
}

func (l *lab) want(when, want string) {
	l.t.Helper()
	synctest.Wait()
	if got := l.served(); got != want {
		l.t.Fatalf("%s: serves %q, want %q; status %+v", when, got, want, l.secondary.Status())
	}
}

func (l *lab) logged(event string) int { return l.logs.FilterMessage(event).Len() }

func www(n int) string { return fmt.Sprintf("www.example.test. 30 IN A 192.0.2.%d", n) }

// TestSecondaryFollows: the timers of newZone are refresh 100 s, retry 20 s, expire 1000 s.
func TestSecondaryFollows(t *testing.T) {
	for name, keys := range map[string]*Keys{"plain": nil, "signed": testKeys(t)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, t.TempDir(), keys, newZone(t, 1, www(1)))
				defer l.run()()
				l.want("at the start", "1 192.0.2.1")
				l.primary.publish(newZone(t, 2, www(2)))
				time.Sleep(85 * time.Second)
				l.want("before the refresh", "1 192.0.2.1")
				time.Sleep(20 * time.Second)
				l.want("after the refresh", "2 192.0.2.2")
				if whole, steps := l.primary.count(dns.TypeAXFR), l.primary.count(dns.TypeIXFR); whole != 1 || steps != 1 {
					t.Errorf("%d AXFR and %d IXFR, want one each", whole, steps)
				}
				l.primary.set(func() { l.primary.down = true })
				time.Sleep(400 * time.Second)
				l.want("while the primary is down", "2 192.0.2.2")
				if n := l.logged("dns.secondary.failed"); n != 1 {
					t.Errorf("the failure was logged %d times, want once", n)
				}
				l.primary.publish(newZone(t, 3, www(3)))
				l.primary.set(func() { l.primary.down = false })
				time.Sleep(25 * time.Second)
				l.want("after it came back", "3 192.0.2.3")
				if l.logged("dns.secondary.recovered") != 1 {
					t.Error("the recovery was not logged")
				}
			})
		})
	}
}

func TestSecondaryExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, t.TempDir(), nil, newZone(t, 1, www(1)))
		defer l.run()()
		l.want("at the start", "1 192.0.2.1")
		l.primary.set(func() { l.primary.down = true })
		time.Sleep(990 * time.Second)
		l.want("before it expires", "1 192.0.2.1")
		time.Sleep(15 * time.Second)
		l.want("expired", "nothing")
		if l.logged("dns.secondary.expired") != 1 {
			t.Error("the end was not logged")
		}
		l.primary.set(func() { l.primary.down = false })
		time.Sleep(25 * time.Second)
		l.want("after it came back with the same version", "1 192.0.2.1")
		l.mu.Lock()
		defer l.mu.Unlock()
		if got := strings.Join(l.published, ", "); got != "1 192.0.2.1, nothing, 1 192.0.2.1" {
			t.Errorf("published %q", got)
		}
	})
}

func TestSecondaryRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		l := newLab(t, dir, nil, newZone(t, 1, www(1)))
		stop := l.run()
		l.want("at the start", "1 192.0.2.1")
		stop()
		start := time.Now()
		fixTime := func(age time.Duration) { // the files' own clock is not the bubble's
			if err := os.Chtimes(filepath.Join(dir, "example.test.zone"), start.Add(-age), start.Add(-age)); err != nil {
				t.Fatal(err)
			}
		}
		fixTime(0)
		next := newLab(t, dir, nil, newZone(t, 2, www(2)))
		next.primary.down = true
		next.want("after a restart, before anything ran", "1 192.0.2.1")
		stop = next.run()
		time.Sleep(80 * time.Second)
		next.want("after a restart, while the primary is down", "1 192.0.2.1")
		stop()
		start = time.Now()
		fixTime(0)
		missed := newLab(t, dir, nil, newZone(t, 1, www(1)))
		missed.want("after a restart, before the primary was asked", "1 192.0.2.1")
		stop = missed.run()
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if n := missed.primary.count(dns.TypeSOA); n != 1 {
			t.Errorf("the primary was asked %d times within the retry time after a restart, want once", n)
		}
		stop()
		fixTime(-time.Hour)
		early := newLab(t, dir, nil, newZone(t, 1, www(1)))
		early.primary.down = true
		stop = early.run()
		time.Sleep(1050 * time.Second)
		early.want("after a restart with a file from the future, when it has expired", "nothing")
		stop()
		start = time.Now()
		fixTime(2000 * time.Second)
		late := newLab(t, dir, nil, newZone(t, 1, www(1)))
		late.want("after a restart when it had expired", "nothing")
		defer late.run()()
		late.want("after the primary said that it is the newest version", "1 192.0.2.1")
		if n := late.primary.count(dns.TypeAXFR); n != 0 {
			t.Errorf("%d AXFR of a version that was here", n)
		}
	})
}

// TestTimersAreBounded: a SOA of zeros makes no loop, and one of the largest numbers does not stop updates.
func TestTimersAreBounded(t *testing.T) {
	const most = 1<<32 - 1
	for _, c := range []struct {
		soa  dns.SOA
		want timers
	}{
		{dns.SOA{}, timers{minRefresh, minRetry, minRefresh + minRetry}},
		{dns.SOA{Refresh: 100, Retry: 20, Expire: 1000}, timers{100 * time.Second, 20 * time.Second, 1000 * time.Second}},
		{dns.SOA{Refresh: 100, Retry: 20, Expire: 60}, timers{100 * time.Second, 20 * time.Second, 120 * time.Second}},
		{dns.SOA{Refresh: most, Retry: most, Expire: most}, timers{maxRefresh, maxRetry, maxExpire}},
	} {
		if got := timersOf(&c.soa); got != c.want {
			t.Errorf("of %v: got %v, want %v", &c.soa, got, c.want)
		}
	}
}

// TestSecondaryDamagedFile: what is wrong with the kept file is never served; the zone is brought anew.
func TestSecondaryDamagedFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		l := newLab(t, dir, nil, newZone(t, 1, www(1)))
		stop := l.run()
		l.want("at the start", "1 192.0.2.1")
		stop()
		path := filepath.Join(dir, "example.test.zone")
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode of the kept file: %v, %v", info.Mode(), err)
		}
		for at := 0; at < len(data); at += 7 {
			damaged := append([]byte(nil), data...)
			damaged[at] ^= 0x20
			if _, err := readKept("example.test.", damaged); !errors.Is(err, errCorrupt) {
				t.Fatalf("octet %d changed: %v", at, err)
			}
			if _, err := readKept("example.test.", data[:at]); !errors.Is(err, errCorrupt) {
				t.Fatalf("cut at octet %d: %v", at, err)
			}
		}
		if _, err := readKept("example.org.", data); !errors.Is(err, errCorrupt) {
			t.Errorf("of another zone: %v", err)
		}
		data[50] ^= 1
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		next := newLab(t, dir, nil, newZone(t, 2, www(2)))
		next.want("with a damaged file", "nothing")
		if next.logged("dns.secondary.file_unusable") != 1 {
			t.Error("the damage was not logged")
		}
		if _, err := os.Stat(path + corruptSuffix); err != nil {
			t.Errorf("the damaged file was not put aside: %v", err)
		}
		defer next.run()()
		next.want("after a transfer", "2 192.0.2.2")
	})
}

func TestSecondaryDoesNotGoBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, "", nil, newZone(t, 5, www(5)))
		defer l.run()()
		l.want("at the start", "5 192.0.2.5")
		l.primary.publish(newZone(t, 4, www(4)))
		time.Sleep(2000 * time.Second)
		l.want("while the primary is behind", "5 192.0.2.5")
		if n := l.logged("dns.secondary.behind"); n != 1 {
			t.Errorf("it was logged %d times, want once", n)
		}
		l.primary.publish(newZone(t, 6, www(6)))
		time.Sleep(100 * time.Second)
		l.want("when it is ahead", "6 192.0.2.6")
	})
}

// TestSecondaryRefusedVersion: a version that cannot be served leaves the one before, and is not fetched without end.
func TestSecondaryRefusedVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, t.TempDir(), nil, newZone(t, 1, www(1)))
		defer l.run()()
		l.want("at the start", "1 192.0.2.1")
		l.mu.Lock()
		l.refuse = errors.New("a CNAME stands beside other records")
		l.mu.Unlock()
		l.primary.publish(newZone(t, 2, www(2)))
		time.Sleep(900 * time.Second)
		l.want("after a version that cannot be served", "1 192.0.2.1")
		if n := l.primary.count(dns.TypeIXFR); n < 2 || n > 20 {
			t.Errorf("it was fetched %d times in a quarter of an hour", n)
		}
		if st := l.secondary.Status()[0]; !strings.Contains(st.Failure, "CNAME") || !st.Served || st.Serial != 1 {
			t.Errorf("status %+v", st)
		}
	})
}

func TestSecondaryTriesAllPrimaries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, "", nil, newZone(t, 1, www(1)))
		dials := map[string]int{}
		l.secondary.fetcher.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			dials[address]++
			if address != "192.0.2.3:5300" {
				return nil, errors.New("no route to host")
			}
			return l.primary.dial(ctx, network, address)
		}
		l.secondary.Adopt(secondaryOf(t, `[192.0.2.1, "2001:db8::2", "192.0.2.3:5300"]`))
		defer l.run()()
		l.want("at the start", "1 192.0.2.1")
		if dials["192.0.2.1:53"] != 1 || dials["[2001:db8::2]:53"] != 1 {
			t.Errorf("dialled %v", dials)
		}
		l.secondary.Adopt(document(t, "nameservers: [ns.example.net]"))
		l.want("when the zone has no primaries any more", "nothing")
		before := dials["192.0.2.3:5300"]
		time.Sleep(time.Hour)
		if dials["192.0.2.3:5300"] != before {
			t.Error("the primary of a removed zone is still asked")
		}
	})
}

// TestSecondaryTwoPrimaries: one that is behind does not keep another from being asked.
func TestSecondaryTwoPrimaries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, behind := newLab(t, "", nil, newZone(t, 5, www(5))), newPrimary(t, nil)
		behind.publish(newZone(t, 4, www(4)))
		l.secondary.fetcher.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			if address == "192.0.2.9:53" {
				return behind.dial(ctx, network, address)
			}
			return l.primary.dial(ctx, network, address)
		}
		defer l.run()()
		l.want("at the start", "5 192.0.2.5")
		l.secondary.Adopt(secondaryOf(t, "[192.0.2.9, 192.0.2.1]"))
		l.primary.publish(newZone(t, 6, www(6)))
		time.Sleep(110 * time.Second)
		l.want("after the refresh", "6 192.0.2.6")
		if n := l.logged("dns.secondary.behind"); n != 0 {
			t.Errorf("it was logged %d times that primaries are behind, and one is not", n)
		}
		l.primary.set(func() { l.primary.down = true })
		time.Sleep(2000 * time.Second)
		l.want("while only the one behind answers", "6 192.0.2.6")
		if n := l.logged("dns.secondary.behind"); n != 1 {
			t.Errorf("it was logged %d times, want once", n)
		}
	})
}

// TestSecondaryMendsItself: the primary changed records without a new serial, so its next differences lead to a version
// that cannot be served. The whole zone can.
func TestSecondaryMendsItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, "", nil, newZone(t, 1, www(1)))
		l.judge = func(served string) error {
			if strings.Count(served, "192.0.2.") > 1 {
				return errors.New("www has two addresses")
			}
			return nil
		}
		defer l.run()()
		l.want("at the start", "1 192.0.2.1")
		l.primary.publish(newZone(t, 1))
		l.primary.publish(newZone(t, 2, www(2)))
		time.Sleep(110 * time.Second)
		l.want("after the refresh", "2 192.0.2.2")
		if n := l.primary.count(dns.TypeIXFR); n != 1 {
			t.Errorf("%d IXFR, want 1", n)
		}
	})
}

// TestSecondaryKeepsWhatItServes: a version that could not be written is written when the primary is asked next, and the
// file of the one before is not taken for it.
func TestSecondaryKeepsWhatItServes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "kept")
		l := newLab(t, dir, nil, newZone(t, 1, www(1)))
		stop := l.run()
		l.want("at the start", "1 192.0.2.1")
		if err := errors.Join(os.Rename(dir, dir+".away"), os.WriteFile(dir, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		l.primary.publish(newZone(t, 2, www(2)))
		time.Sleep(110 * time.Second)
		l.want("while nothing can be kept", "2 192.0.2.2")
		if l.logged("dns.secondary.file_unusable") != 1 {
			t.Error("that nothing can be kept was not logged")
		}
		if err := errors.Join(os.Remove(dir), os.Rename(dir+".away", dir)); err != nil {
			t.Fatal(err)
		}
		kept := func(when string) {
			t.Helper()
			synctest.Wait()
			newLab(t, dir, nil, nil).want(when, "2 192.0.2.2")
		}
		time.Sleep(110 * time.Second)
		kept("when it can be kept again")
		if err := os.Remove(filepath.Join(dir, "example.test.zone")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(110 * time.Second)
		kept("after the file was taken away")
		stop()
	})
}

// TestSecondarySilentPrimary: a primary that says nothing costs a bounded time.
func TestSecondarySilentPrimary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, "", nil, newZone(t, 1, www(1)))
		l.primary.answer = func(*dns.Msg, [][]byte) [][]byte { return nil }
		l.primary.silent = true
		stop := l.run()
		time.Sleep(40 * time.Second)
		if n := l.logged("dns.secondary.failed"); n != 1 {
			t.Errorf("%d failures logged", n)
		}
		stop() // also while a transfer waits
	})
}

func TestNotifyMakesARefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, "", nil, newZone(t, 1, www(1)))
		defer l.run()()
		l.want("at the start", "1 192.0.2.1")
		time.Sleep(5 * time.Second)
		l.primary.publish(newZone(t, 2, www(2)))
		for range 1000 {
			l.notify(2, "192.0.2.1", dns.RcodeSuccess)
		}
		time.Sleep(3 * time.Second)
		l.want("after NOTIFY", "2 192.0.2.2")
		if n := l.primary.count(dns.TypeSOA); n > 3 {
			t.Errorf("1000 NOTIFY made %d questions", n)
		}
		before := l.primary.count(dns.TypeSOA)
		l.notify(2, "192.0.2.1", dns.RcodeSuccess) // known
		l.notify(9, "192.0.2.66", dns.RcodeRefused)
		time.Sleep(3 * time.Second)
		if n := l.primary.count(dns.TypeSOA) - before; n != 0 {
			t.Errorf("NOTIFY without news, and of a stranger, made %d questions", n)
		}
		l.notify(1<<30, "192.0.2.1", dns.RcodeSuccess) // from the future
		time.Sleep(60 * time.Second)
		if n := l.primary.count(dns.TypeSOA) - before; n != 1 {
			t.Errorf("a NOTIFY of a serial that nobody has made %d questions, want 1", n)
		}
	})
}

// notify sends a NOTIFY and checks the answer's code.
func (l *lab) notify(serial uint32, from string, want int) {
	l.t.Helper()
	m := new(dns.Msg).SetNotify("example.test.")
	m.Answer = []dns.RR{newZone(l.t, serial).soa}
	packed, err := m.Pack()
	if err != nil {
		l.t.Fatal(err)
	}
	l.notifyPacked(packed, from, want)
}

func (l *lab) notifyPacked(packed []byte, from string, want int) {
	l.t.Helper()
	m := new(dns.Msg)
	if err := m.Unpack(packed); err != nil {
		l.t.Fatal(err)
	}
	answer := new(dns.Msg)
	if err := answer.Unpack(l.secondary.Notify(packed, m, Peer{Addr: netip.MustParseAddr(from), Datagram: true})); err != nil {
		l.t.Fatal(err)
	}
	if answer.Rcode != want || answer.Opcode != dns.OpcodeNotify || !answer.Response || answer.Id != m.Id {
		l.t.Fatalf("NOTIFY of %s from %s: answer %v, want rcode %s", m.Question[0].Name, from, answer, rcodeName(want))
	}
}

// TestNotifyOfAnExpiredZone: the serial that is here is news when it is not served.
func TestNotifyOfAnExpiredZone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, "", nil, newZone(t, 1, www(1)))
		defer l.run()()
		l.want("at the start", "1 192.0.2.1")
		l.primary.set(func() { l.primary.down = true })
		time.Sleep(1100 * time.Second)
		l.want("expired", "nothing")
		for l.primary.set(func() { l.primary.down = false }); l.served() == "nothing"; time.Sleep(100 * time.Millisecond) {
			l.notify(1, "192.0.2.1", dns.RcodeSuccess)
			if time.Since(l.secondary.Status()[0].Confirmed) > 1110*time.Second {
				t.Fatal("a NOTIFY did not bring it back")
			}
		}
	})
}

func TestWhoMayNotify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keyed := newLab(t, "", testKeys(t), newZone(t, 1))
		m := new(dns.Msg).SetNotify("example.test.")
		plain, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		right, _ := twin(t, m, "fetch.", dns.HmacSHA256, testSecret, "", false, nil)
		other, _ := twin(t, m, "mid.", dns.HmacSHA384, testSecret, "", false, nil)
		forged, _ := twin(t, m, "fetch.", dns.HmacSHA256, "another secret, of no use at all", "", false, nil)
		keyed.notifyPacked(plain, "192.0.2.1", dns.RcodeRefused)
		keyed.notifyPacked(right, "198.51.100.1", dns.RcodeSuccess)
		keyed.notifyPacked(other, "192.0.2.1", dns.RcodeRefused)
		keyed.notifyPacked(forged, "192.0.2.1", dns.RcodeNotAuth)

		open := newLab(t, "", nil, newZone(t, 1))
		open.notify(2, "::ffff:192.0.2.1", dns.RcodeSuccess)
		unknown, err := new(dns.Msg).SetNotify("example.org.").Pack()
		if err != nil {
			t.Fatal(err)
		}
		open.notifyPacked(unknown, "192.0.2.1", dns.RcodeNotAuth)
		wrongType := new(dns.Msg).SetNotify("example.test.")
		wrongType.Question[0].Qtype = dns.TypeA
		packed, err := wrongType.Pack()
		if err != nil {
			t.Fatal(err)
		}
		open.notifyPacked(packed, "192.0.2.1", dns.RcodeFormatError)
	})
}
