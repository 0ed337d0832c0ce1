package rrl

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// limiter makes a Limiter or ends the test.
func limiter(t testing.TB, o Options) *Limiter {
	t.Helper()
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// start is where the tests' clock begins.
const start = int64(1_790_000_000_000_000_000)

var client = netip.MustParseAddr("192.0.2.1")

func TestNewBounds(t *testing.T) {
	tests := []struct {
		name string
		o    Options
		ok   bool
	}{
		{"least", Options{PerSecond: 1, Entries: MinEntries}, true},
		{"most", Options{PerSecond: MaxPerSecond, Slip: MaxSlip, Entries: 1 << 20}, true},
		{"no rate", Options{}, false},
		{"rate too high", Options{PerSecond: MaxPerSecond + 1}, false},
		{"negative slip", Options{PerSecond: 1, Slip: -1}, false},
		{"slip too high", Options{PerSecond: 1, Slip: MaxSlip + 1}, false},
		{"too few entries", Options{PerSecond: 1, Entries: MinEntries - 1}, false},
		{"too many entries", Options{PerSecond: 1, Entries: MaxEntries + 1}, false},
		{"too many exempt", Options{PerSecond: 1, Exempt: make([]netip.Prefix, MaxExempt+1)}, false},
	}
	for _, test := range tests {
		if _, err := New(test.o); (err == nil) != test.ok {
			t.Errorf("%s: got error %v, want ok %v", test.name, err, test.ok)
		}
	}
	if l := limiter(t, Options{PerSecond: 1, Entries: MinEntries + 1}); len(l.table) != 2*MinEntries {
		t.Errorf("entries: got %d, want the next power of two, %d", len(l.table), 2*MinEntries)
	}
}

func TestBurstThenRate(t *testing.T) {
	for _, perSecond := range []int{1, 7, 200, 30_000, 300_000} {
		l := limiter(t, Options{PerSecond: perSecond, Entries: MinEntries})
		take := func(now int64) (sent int) {
			for range 2 * perSecond {
				if l.Account(client, Answer, 1, now) == Send {
					sent++
				}
			}
			return sent
		}
		if got := take(start); got != perSecond {
			t.Errorf("%d/s: burst of %d, want %d", perSecond, got, perSecond)
		}
		half := start + int64(time.Second/2)
		if got, want := take(half), perSecond/2; got < want-1 || got > want {
			t.Errorf("%d/s: after half a second %d more, want %d", perSecond, got, want)
		}
		if got := take(half + int64(time.Minute)); got != perSecond {
			t.Errorf("%d/s: after a minute a burst of %d, want %d", perSecond, got, perSecond)
		}
	}
}

// TestAccountsAreApart checks what shares an account and what does not.
func TestAccountsAreApart(t *testing.T) {
	tests := []struct {
		name   string
		client string
		class  Class
		detail uint64
		same   bool
	}{
		{"the same", "192.0.2.1", Answer, 1, true},
		{"same /24", "192.0.2.200", Answer, 1, true},
		{"next /24", "192.0.3.1", Answer, 1, false},
		{"another detail", "192.0.2.1", Answer, 2, false},
		{"a far detail", "192.0.2.1", Answer, 1 | 1<<63, false},
		{"another class", "192.0.2.1", Negative, 1, false},
		{"another class", "192.0.2.1", Referral, 1, false},
		{"another class", "192.0.2.1", Error, 1, false},
		{"the IPv6 network with the same bits", "0:0:0:c0:0:200::", Answer, 1, false},
	}
	for _, test := range tests {
		l := limiter(t, Options{PerSecond: 1})
		l.Account(client, Answer, 1, start)
		got := l.Account(netip.MustParseAddr(test.client), test.class, test.detail, start)
		if (got == Drop) != test.same {
			t.Errorf("%s: got action %d, want same account %v", test.name, got, test.same)
		}
	}
	l := limiter(t, Options{PerSecond: 1})
	for i, test := range []struct {
		client string
		want   Action
	}{{"2001:db8:0:100::1", Send}, {"2001:db8:0:1ff::2", Drop}, {"2001:db8:0:200::1", Send}} {
		if got := l.Account(netip.MustParseAddr(test.client), Answer, 1, start); got != test.want {
			t.Errorf("IPv6 step %d, %s: got %d, want %d", i, test.client, got, test.want)
		}
	}
}

func TestSlip(t *testing.T) {
	for _, slip := range []int{0, 1, 2, 5, MaxSlip} {
		l := limiter(t, Options{PerSecond: 1, Slip: slip})
		l.Account(client, Answer, 1, start)
		slipped := 0
		for i := range 10 * MaxSlip {
			want := Drop
			if slip > 0 && i%slip == 0 {
				want = Slip
			}
			got := l.Account(client, Answer, 1, start)
			if got != want {
				t.Fatalf("slip %d, limited response %d: got %d, want %d", slip, i, got, want)
			}
			if got == Slip {
				slipped++
			}
		}
		if slip > 0 && slipped != 10*MaxSlip/slip {
			t.Errorf("slip %d: %d truncated, want %d", slip, slipped, 10*MaxSlip/slip)
		}
	}
}

func TestExempt(t *testing.T) {
	l := limiter(t, Options{PerSecond: 1, Exempt: []netip.Prefix{
		netip.MustParsePrefix("198.51.100.9/25"), netip.MustParsePrefix("2001:db8::/32")}})
	for _, test := range []struct {
		client string
		exempt bool
	}{{"198.51.100.77", true}, {"198.51.100.200", false}, {"2001:db8:1::1", true}, {"127.0.0.1", false}, {"::1", false}} {
		sent := 0
		for range 10 {
			if l.Account(netip.MustParseAddr(test.client), Error, 0, start) == Send {
				sent++
			}
		}
		if (sent == 10) != test.exempt {
			t.Errorf("%s: %d of 10 sent, want exempt %v", test.client, sent, test.exempt)
		}
	}
}

// TestClocksThatDiffer is workers whose coarse clocks are some milliseconds apart: nobody's debt is forgotten.
func TestClocksThatDiffer(t *testing.T) {
	l := limiter(t, Options{PerSecond: 100})
	sent := 0
	for i := range int64(10_000) {
		now := start + i%7*int64(20*time.Millisecond)
		if l.Account(client, Answer, 1, now) == Send {
			sent++
		}
	}
	if sent < 100 || sent > 113 { // the latest clock is 120 ms ahead
		t.Errorf("got %d sent, want 100 to 113", sent)
	}
}

// TestClockComesRound: an account survives the end of the clock's period.
func TestClockComesRound(t *testing.T) {
	const perSecond = 100_000
	period := int64(1) << dueBits * (1e9 / perSecond) / unitsPerResponse
	for _, begin := range []int64{0, period - int64(time.Second/4), 5*period - 1} {
		l, sent := limiter(t, Options{PerSecond: perSecond}), 0
		for i := range int64(1000) {
			now := begin + i*int64(time.Millisecond)
			for range 3 * perSecond / 1000 {
				if l.Account(client, Answer, 1, now) == Send {
					sent++
				}
			}
		}
		if sent < 2*perSecond*99/100 || sent > 2*perSecond {
			t.Errorf("from %d: %d sent in a second, want the burst and the rate", begin, sent)
		}
	}
}

// TestNeverMoreThanItsRate is the promise, over random traffic of many accounts that is compared with what each has been
// sent. Who stays within the limit loses nothing, whatever the others do.
func TestNeverMoreThanItsRate(t *testing.T) {
	const perSecond, accounts, steps = 20, 300, 400_000
	random := rand.New(rand.NewPCG(1, 2))
	l := limiter(t, Options{PerSecond: perSecond, Slip: 2, Entries: 1 << 14})
	type history struct{ sent []int64 }
	of := make([]history, accounts)
	now := start
	var quietAsked, quietSent int
	for range steps {
		now += random.Int64N(int64(100 * time.Microsecond))
		// Account 0 is polite: it asks at most at its rate. The higher the number, the noisier.
		a := int(float64(accounts-1)*random.Float64()*random.Float64()) + 1
		if n := len(of[0].sent); n == 0 || now-of[0].sent[n-1] >= int64(time.Second/perSecond) {
			a = 0
		}
		action := l.Account(address(uint32(a)), Class(a%int(numClasses)), uint64(a), now)
		if a == 0 {
			quietAsked++
		}
		if action == Send {
			of[a].sent = append(of[a].sent, now)
			if a == 0 {
				quietSent++
			}
		}
	}
	if quietSent != quietAsked || quietAsked == 0 {
		t.Errorf("the polite account got %d of %d responses", quietSent, quietAsked)
	}
	full := 0
	for a, h := range of {
		for i := range h.sent {
			j := i + perSecond // j-i+1 responses from i to j: one more than a burst
			if j >= len(h.sent) {
				break
			}
			full++
			// Over any time: sent <= rate*t + burst. The windows that begin with a response and hold one burst more than
			// some number of steps are the tightest.
			for n := j; n < min(len(h.sent), j+3*perSecond); n++ {
				elapsed := float64(h.sent[n]-h.sent[i]) / float64(time.Second)
				if got, most := float64(n-i+1), perSecond*elapsed+perSecond+1; got > most {
					t.Fatalf("account %d: %v responses in %v s, at most %v", a, got, elapsed, most)
				}
			}
		}
	}
	if full == 0 {
		t.Error("no account was ever limited: the test shows nothing")
	}
}

// address returns the nth network's address.
func address(n uint32) netip.Addr {
	var a [4]byte
	binary.BigEndian.PutUint32(a[:], n<<8|1)
	return netip.AddrFrom4(a)
}

// TestOneBucket: accounts whose search begins at the same place are each limited exactly, as many as a bucket holds.
func TestOneBucket(t *testing.T) {
	const perSecond = 10
	for n := 1; n <= bucketEntries; n++ {
		l := limiter(t, Options{PerSecond: perSecond, Entries: MinEntries})
		sent := make([]int, n)
		for range 5 * perSecond {
			for i := range sent {
				if l.count(Key(uint64(i+1)<<(64-tagBits)), start) == Send { // a tag, and nothing of a place
					sent[i]++
				}
			}
		}
		for i, got := range sent {
			if got != perSecond {
				t.Errorf("%d accounts: of the %dth %d were sent, want %d", n, i, got, perSecond)
			}
		}
	}
}

// TestFloodOfNetworks: more networks than the table has entries do not free one that is limited, and do not cost others
// their responses.
func TestFloodOfNetworks(t *testing.T) {
	const perSecond = 100
	l := limiter(t, Options{PerSecond: perSecond, Entries: MinEntries})
	victim := netip.MustParseAddr("203.0.113.5")
	sent := 0
	for i := range uint32(100_000) {
		now := start + int64(i)*int64(10*time.Microsecond) // one second in all
		if l.Account(victim, Answer, 1, now) == Send {
			sent++
		}
		if got := l.Account(address(i), Answer, 1, now); got != Send {
			t.Fatalf("network %d: its first response got action %d", i, got)
		}
	}
	// It is only forgotten when seven others of its bucket owe as much as it does.
	if sent > 2*perSecond+1 {
		t.Errorf("the victim was sent %d in a second, want at most %d", sent, 2*perSecond+1)
	}
}

// TestShared has many workers on few accounts: the sum stays within the limit, and no account is lost.
func TestShared(t *testing.T) {
	const perSecond, workers, accounts, each = 1000, 8, 64, 20_000
	l := limiter(t, Options{PerSecond: perSecond, Slip: 3})
	var sums [accounts]int
	var mu sync.Mutex
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			var sent [accounts]int
			random := rand.New(rand.NewPCG(uint64(w), 0))
			for range each {
				a := random.IntN(accounts)
				if l.Account(address(uint32(a)), Answer, 7, start) == Send {
					sent[a]++
				}
			}
			mu.Lock()
			defer mu.Unlock()
			for a, n := range sent {
				sums[a] += n
			}
		})
	}
	group.Wait()
	for a, n := range sums {
		// Each worker may once take an entry of its own for an account that another just made.
		if n < perSecond || n > perSecond+workers {
			t.Errorf("account %d: %d sent, want %d", a, n, perSecond)
		}
	}
}

func TestAccountAllocatesNothing(t *testing.T) {
	l := limiter(t, Options{PerSecond: 10, Slip: 2, Exempt: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	if n := testing.AllocsPerRun(1000, func() { l.Account(client, Answer, 1, start) }); n != 0 {
		t.Errorf("got %v allocations, want 0", n)
	}
}

func TestPrefix(t *testing.T) {
	for address, want := range map[string]string{"192.0.2.77": "192.0.2.0/24", "2001:db8:1:2ff::1": "2001:db8:1:200::/56"} {
		if got := Prefix(netip.MustParseAddr(address)).String(); got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
}

func BenchmarkKey(b *testing.B) {
	l := limiter(b, Options{PerSecond: 1})
	for b.Loop() {
		l.Key(client, Answer, 1)
	}
}

// BenchmarkAccount is one hot account, many that fit, and networks without end.
func BenchmarkAccount(b *testing.B) {
	for _, bench := range []struct {
		name     string
		rate     int
		networks uint32 // a power of two
	}{{"sent", MaxPerSecond, 1}, {"limited", 1, 1}, {"4096-networks", 200, 4096}, {"1M-networks", 200, 1 << 20}} {
		b.Run(bench.name, func(b *testing.B) {
			l := limiter(b, Options{PerSecond: bench.rate, Slip: 2})
			clients := make([]netip.Addr, bench.networks)
			for i := range clients {
				clients[i] = address(uint32(i))
			}
			b.ReportAllocs()
			now, i := start, uint32(0)
			for b.Loop() {
				i++
				now += 1700
				l.Account(clients[i*2654435761%bench.networks], Answer, 1, now)
			}
		})
	}
}
