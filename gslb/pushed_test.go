package gslb

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"fairlead/config"
)

func pushedFrom(values ...float64) (out []PushedValue) {
	for i, v := range values {
		out = append(out, PushedValue{Service: uint64(i + 1), Value: v, Until: oracleNow + 60})
	}
	return out
}

func TestPushedFindsTheLongestPrefix(t *testing.T) {
	p := NewPushed()
	for prefix, value := range map[string]float64{"203.0.0.0/16": 1, "203.0.113.0/24": 2, "203.0.113.128/25": 3, "2001:db8::/32": 4} {
		if err := p.Set(netip.MustParsePrefix(prefix), pushedFrom(value), oracleNow); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		client string
		want   float64
		bits   int
	}{
		{"203.0.1.1", 1, 25}, // a longer prefix lies beside
		{"203.0.113.1", 2, 25}, {"203.0.113.129", 3, 25}, {"198.51.100.1", 0, 25}, {"2001:db8::1", 4, 32}, {"2001:db9::1", 0, 32},
	}
	for _, tt := range tests {
		values, bits := p.Lookup(netip.MustParseAddr(tt.client))
		got := 0.0
		if len(values) > 0 {
			got = values[0].Value
		}
		if got != tt.want || bits != tt.bits {
			t.Errorf("%s: got %v, %d bits, want %v, %d", tt.client, got, bits, tt.want, tt.bits)
		}
	}
	if values, bits := p.Lookup(netip.Addr{}); values != nil || bits != 0 {
		t.Errorf("no client: got %v, %d", values, bits)
	}
}

func TestPushedForgets(t *testing.T) {
	p := NewPushed()
	long, short := netip.MustParsePrefix("203.0.113.0/28"), netip.MustParsePrefix("203.0.0.0/16")
	ended := pushedFrom(1)
	ended[0].Until = oracleNow + 5
	_, _ = p.Set(long, ended, oracleNow), p.Set(short, pushedFrom(2), oracleNow)
	if n := p.Expire(oracleNow); n != 0 || p.Len() != 2 {
		t.Errorf("%d ended too soon, %d are left", n, p.Len())
	}
	if n := p.Expire(oracleNow + 5); n != 1 || p.Len() != 1 {
		t.Errorf("%d ended, %d are left, want 1 and 1", n, p.Len())
	}
	if values, bits := p.Lookup(netip.MustParseAddr("203.0.113.1")); len(values) != 1 || bits != 16 {
		t.Errorf("what ended still tells: %v, %d bits, want 16", values, bits)
	}
	if _, ok := p.Get(short); !ok {
		t.Error("the other one is gone")
	}
	if err := p.Set(short, nil, oracleNow); err != nil || p.Len() != 0 {
		t.Errorf("forgetting: %v, %d are left", err, p.Len())
	}
	if _, bits := p.Lookup(netip.MustParseAddr("203.0.113.1")); bits != 0 {
		t.Errorf("an empty table needs %d bits", bits)
	}
}

func TestPushedKeepsWhatItWasGiven(t *testing.T) {
	p, prefix := NewPushed(), netip.MustParsePrefix("203.0.113.0/24")
	given := pushedFrom(3, 1, 2)
	_ = p.Set(prefix, given, oracleNow)
	given[1].Value = 99
	values, _ := p.Get(prefix)
	if got := []float64{values[0].Value, values[1].Value, values[2].Value}; !slices.Equal(got, []float64{1, 2, 3}) {
		t.Errorf("got %v, want the best first, and a copy", got)
	}
}

func TestPushedIsBounded(t *testing.T) {
	p, prefix := NewPushed(), netip.MustParsePrefix("203.0.113.0/24")
	if err := p.Set(prefix, make([]PushedValue, MaxPushedServices+1), oracleNow); !errors.Is(err, ErrPushedFull) {
		t.Errorf("too many services: got %v", err)
	}
	if testing.Short() {
		return
	}
	one := []PushedValue{{Service: 1, Value: 1, Until: oracleNow + 60}}
	address := func(i int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
	}
	table := *p.table.Load()
	filled := table.prefixes.Clone()
	for i := range MaxPushedPrefixes {
		filled.Insert(address(i), one)
	}
	table.prefixes, table.longest[0] = filled, 32
	p.table.Store(&table)
	if err := p.Set(address(MaxPushedPrefixes), one, oracleNow); !errors.Is(err, ErrPushedFull) {
		t.Errorf("too many prefixes: got %v", err)
	}
	if err := p.Set(address(0), one, oracleNow); err != nil || p.Len() != MaxPushedPrefixes {
		t.Errorf("one that is there: got %v, %d prefixes", err, p.Len())
	}
	if err := p.Set(address(MaxPushedPrefixes), one, oracleNow+60); err != nil || p.Len() != 1 {
		t.Errorf("after the others have ended: got %v, %d prefixes", err, p.Len())
	}
}

// TestPushedWhileAsked reads and writes at once: a reader sees one report or another, never a mixture.
func TestPushedWhileAsked(t *testing.T) {
	p, prefix := NewPushed(), netip.MustParsePrefix("203.0.113.0/24")
	var writers, readers sync.WaitGroup
	stop := make(chan struct{})
	for n := range 4 {
		writers.Go(func() {
			for i := range 200 {
				x := float64(n*1000 + i)
				_ = p.Set(prefix, pushedFrom(x, x, x), oracleNow)
				if i%20 == 0 {
					_ = p.Set(netip.PrefixFrom(prefix.Addr(), 25+n), pushedFrom(x), oracleNow)
					p.Expire(oracleNow)
				}
			}
		})
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				values, _ := p.Get(prefix)
				for _, v := range values {
					if v.Value != values[0].Value {
						t.Errorf("a mixture: %v", values)
						return
					}
				}
				p.Lookup(prefix.Addr())
				p.Each(func(netip.Prefix, []PushedValue) bool { return true })
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
}

// TestPushedScopeIsTrue: all clients inside an answer's scope are answered alike, whatever was pushed.
func TestPushedScopeIsTrue(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 3))
		s, l := twoSites(config.VirtualServer{Method: config.Measured, BackupMethod: config.SourceIPHashing, ClientSubnet: true}).snapshot(t)
		for range 1 + r.IntN(12) {
			values := []PushedValue{{Service: s.Plan.services[r.IntN(2)].Hash, Value: float64(r.IntN(3)), Until: oracleNow + int64(r.IntN(3)) - 1}}
			if err := l.Pushed.Set(randomPrefix(r), values, oracleNow); err != nil {
				t.Fatal(err)
			}
		}
		for range 40 {
			q := randomQuery(r, []Family{IPv4}, oracleNow)
			q.Subnet = netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, byte(r.IntN(4)), byte(r.IntN(256))}), 32)
			checkScope(t, r, s, q, l, Decide(s, q, l.Copy(), epoch, nil))
		}
	}
}
