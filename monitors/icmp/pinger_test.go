package icmp

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"time"
)

func TestSessionTellsNobodyElse(t *testing.T) {
	target, other := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("192.0.2.8")
	down := &Unreachable{false, typeUnreachable4, 1}
	tests := []struct {
		name string
		bend func(*Event)
		want bool
	}{
		{"the reply", func(*Event) {}, true},
		{"another token", func(e *Event) { e.Echo.Token++ }, false},
		{"another sender", func(e *Event) { e.From = other }, false},
		{"another size", func(e *Event) { e.Size++ }, false},
		{"error", func(e *Event) { e.Failure = down; e.Size = 0 }, true},
		{"error about another target", func(e *Event) { e.Failure = down; e.From = other }, false},
		{"error without a token", func(e *Event) { e.Failure, e.Partial, e.Echo.Token = down, true, 0 }, true},
		{"error without a token, another sequence", func(e *Event) { e.Failure, e.Partial, e.Echo.Token = down, true, 0; e.Echo.Sequence++ }, false},
		{"error without a token, another target", func(e *Event) { e.Failure, e.Partial, e.Echo.Token, e.From = down, true, 0, other }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &session{waiting: make(map[uint64]*wait)}
			token, w, err := s.expect(target, 56)
			if err != nil {
				t.Fatal(err)
			}
			e := Event{From: target, Echo: Echo{Sequence: w.sequence, Token: token}, Size: 56}
			tt.bend(&e)
			s.tell(e)
			s.tell(e) // a copy must not block
			if got := len(w.done) == 1; got != tt.want {
				t.Errorf("told: %t, want %t", got, tt.want)
			}
		})
	}
}

func TestSessionIsBounded(t *testing.T) {
	s := &session{waiting: make(map[uint64]*wait)}
	for range maxWaiting {
		if _, _, err := s.expect(netip.MustParseAddr("192.0.2.7"), 56); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := s.expect(netip.MustParseAddr("192.0.2.7"), 56); !errors.Is(err, errManyPings) {
		t.Errorf("got %v, want %v", err, errManyPings)
	}
}

// allowed skips where this process may not send ICMP.
func allowed(t *testing.T, six bool) {
	t.Helper()
	s, err := Open(six)
	if err != nil {
		t.Skip(err)
	}
	s.Close()
}

func TestPing(t *testing.T) {
	for _, a := range []string{"127.0.0.1", "::1"} {
		t.Run(a, func(t *testing.T) {
			to := netip.MustParseAddr(a)
			allowed(t, to.Is6())
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			var p Pinger
			for _, size := range []int{MinSize, 57, MaxSize} {
				if r, err := p.Ping(ctx, to, size); err != nil || r.RTT <= 0 || r.RTT > 4*time.Second {
					t.Errorf("size %d: got %+v, %v", size, r, err)
				}
			}
			if len(p.sessions[family(to.Is6())]) > 0 {
				t.Error("the socket is open although no ping is under way")
			}
		})
	}
}

func TestPingsShareASocket(t *testing.T) {
	allowed(t, false)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var p Pinger
	var group sync.WaitGroup
	for i := range 200 {
		group.Go(func() {
			if _, err := p.Ping(ctx, netip.AddrFrom4([4]byte{127, 0, 1, byte(i)}), 56); err != nil {
				t.Errorf("ping %d: %v", i, err)
			}
		})
	}
	group.Wait()
}

func TestPingEndsWithItsContext(t *testing.T) {
	allowed(t, false)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := new(Pinger).Ping(ctx, netip.MustParseAddr("127.0.0.1"), 56); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want a reply or %v", err, context.Canceled)
	}
}

// BenchmarkPing is a ping of this machine while others are under way.
func BenchmarkPing(b *testing.B) {
	s, err := Open(false)
	if err != nil {
		b.Skip(err)
	}
	s.Close()
	var p Pinger
	to := netip.MustParseAddr("127.0.0.1")
	b.ReportAllocs()
	b.SetParallelism(50)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := p.Ping(b.Context(), to, 56); err != nil {
				b.Error(err)
			}
		}
	})
}
