package source

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/monitors/metric"
)

// listenHere is a listener that accepts and holds.
func listenHere(t testing.TB, network, address string) netip.AddrPort {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Skipf("listen on %s: %v", address, err)
	}
	accepted := make(chan struct{})
	var held []net.Conn
	go func() {
		defer close(accepted)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			held = append(held, c)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-accepted
		for _, c := range held {
			_ = c.Close()
		}
	})
	return l.Addr().(*net.TCPAddr).AddrPort()
}

func connectHere(t testing.TB, to string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestHostKernel counts connections to listeners of this machine as the kernel tells them, asked and by its tables.
func TestHostKernel(t *testing.T) {
	both := listenHere(t, "tcp", "[::]:0")
	four := listenHere(t, "tcp4", "127.0.0.1:0")
	var last net.Conn
	for range 7 {
		connectHere(t, fmt.Sprintf("127.0.0.1:%d", both.Port()))
	}
	for range 3 {
		connectHere(t, fmt.Sprintf("[::1]:%d", both.Port()))
	}
	for range 5 {
		last = connectHere(t, four.String())
	}
	read := func(proc, backend string) float64 {
		t.Helper()
		r := New(Options{Proc: proc})
		defer r.Close()
		got, err := r.Read(t.Context(), &Target{Service: "web", Source: config.LoadSource{Source: config.LoadHost, Backend: backend}})
		if err != nil {
			t.Fatalf("%s: %v", backend, err)
		}
		if _, ok := got.Get(metric.BytesTotal); !ok {
			t.Errorf("no bytes are told: %v", got.Lacks)
		}
		active, _ := got.Get(metric.Active)
		return active
	}
	for _, tt := range []struct {
		backend string
		want    float64
	}{
		{fmt.Sprintf(":%d", both.Port()), 10}, {fmt.Sprintf("127.0.0.1:%d", both.Port()), 7}, {fmt.Sprintf("[::1]:%d", both.Port()), 3},
		{four.String(), 5}, {fmt.Sprintf("127.0.0.2:%d", four.Port()), 0},
	} {
		if _, err := askEstablished(t.Context(), &localEnd{port: both.Port()}); errors.Is(err, errNotAsked) {
			t.Logf("only by the tables: %v", err)
		} else if got := read("", tt.backend); got != tt.want {
			t.Errorf("asked for %s: %v connections, want %v", tt.backend, got, tt.want)
		}
		if got := read("/proc", tt.backend); got != tt.want {
			t.Errorf("in the tables, %s: %v connections, want %v", tt.backend, got, tt.want)
		}
	}
	if err := last.Close(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); read("", four.String()) != 4; {
		if time.Now().After(deadline) {
			t.Fatal("a connection that was closed still counts")
		}
	}
}

// TestHostCancelled: a read ends with its context.
func TestHostCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := askEstablished(ctx, &localEnd{port: 80}); err == nil {
		t.Error("want an error")
	}
}

func FuzzDiag(f *testing.F) {
	f.Add(diagQuestion(2, 80))
	f.Add([]byte{20, 0, 0, 0, 3, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		n, _, err := countDiag(b, &localEnd{port: 80})
		if n < 0 || n > len(b)/diagMessage {
			t.Errorf("%d connections in %d octets (%v)", n, len(b), err)
		}
	})
}

// BenchmarkHost is what counting the connections to one port costs while others hold many.
func BenchmarkHost(b *testing.B) {
	busy, quiet := listenHere(b, "tcp4", "127.0.0.1:0"), listenHere(b, "tcp4", "127.0.0.1:0")
	for range 2000 {
		connectHere(b, busy.String())
	}
	for _, tt := range []struct {
		name string
		port uint16
	}{{"of 2000", busy.Port()}, {"of none among them", quiet.Port()}} {
		b.Run("asked "+tt.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := askEstablished(context.Background(), &localEnd{port: tt.port}); err != nil {
					b.Skip(err)
				}
			}
		})
		b.Run("table "+tt.name, func(b *testing.B) {
			r := New(Options{Proc: "/proc"})
			defer r.Close()
			for b.Loop() {
				if _, err := r.established(context.Background(), &localEnd{port: tt.port}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
