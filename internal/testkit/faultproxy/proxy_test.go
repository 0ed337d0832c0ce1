package faultproxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"
)

// echo is a server that returns what it gets, up to the end of the stream.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var children sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); children.Wait() })
	children.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			children.Go(func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
				_ = c.(*net.TCPConn).CloseWrite()
			})
		}
	})
	return l.Addr().String()
}

func start(t *testing.T, target string) *Proxy {
	t.Helper()
	p, err := New(Options{Listen: "127.0.0.1:0", Target: target, Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return p
}

func dial(t *testing.T, p *Proxy) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// exchange sends b and returns what comes back, as many bytes.
func exchange(t *testing.T, c net.Conn, b []byte) []byte {
	t.Helper()
	go func() { _, _ = c.Write(b) }()
	_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
	got := make([]byte, len(b))
	if _, err := io.ReadFull(c, got); err != nil {
		t.Fatal(err)
	}
	return got
}

// silent reports whether nothing comes for a while.
func silent(c net.Conn) bool {
	_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	_, err := c.Read(make([]byte, 1))
	return errors.Is(err, os.ErrDeadlineExceeded)
}

func random(n int) []byte {
	r, b := rand.New(rand.NewPCG(1, 2)), make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func TestPassesOn(t *testing.T) {
	p := start(t, echo(t))
	c := dial(t, p)
	want := random(300_000)
	if got := exchange(t, c, want); !bytes.Equal(got, want) {
		t.Error("300,000 bytes came back changed")
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
	if rest, err := io.ReadAll(c); err != nil || len(rest) > 0 {
		t.Errorf("after the end of the stream: got %d bytes and %v, want its end", len(rest), err)
	}
	if s := p.Stats(); s.Bytes != [2]uint64{300_000, 300_000} || s.Accepted != 1 {
		t.Errorf("got %+v, want 300,000 bytes each way of one connection", s)
	}
}

func TestDelayKeepsOrder(t *testing.T) {
	p := start(t, echo(t))
	p.Set(FromTarget, Fault{Delay: 60 * time.Millisecond, Jitter: 40 * time.Millisecond})
	c := dial(t, p)
	want, began := random(200_000), time.Now()
	if got := exchange(t, c, want); !bytes.Equal(got, want) {
		t.Error("bytes came back in another order")
	}
	if took := time.Since(began); took < 20*time.Millisecond {
		t.Errorf("took %v, want at least 20ms", took)
	}
}

func TestRate(t *testing.T) {
	p := start(t, echo(t))
	p.Set(ToTarget, Fault{Rate: 100_000})
	c := dial(t, p)
	began := time.Now()
	exchange(t, c, random(20_000))
	if took := time.Since(began); took < 190*time.Millisecond {
		t.Errorf("20,000 bytes at 100,000 a second took %v, want at least 190ms", took)
	}
}

func TestCorrupts(t *testing.T) {
	p := start(t, echo(t))
	p.Set(ToTarget, Fault{Corrupt: 0.01})
	c := dial(t, p)
	want := random(100_000)
	got := exchange(t, c, want)
	wrong := uint64(0)
	for i := range got {
		if got[i] != want[i] {
			wrong++
		}
	}
	if wrong < 800 || wrong > 1200 || wrong != p.Stats().Corrupted[ToTarget] {
		t.Errorf("%d bytes of 100,000 are wrong, %d were counted; want about 1,000, all counted", wrong, p.Stats().Corrupted[ToTarget])
	}
}

func TestFreezeAndThaw(t *testing.T) {
	p := start(t, echo(t))
	c := dial(t, p)
	exchange(t, c, []byte("a"))
	p.SetBoth(Fault{Freeze: true})
	if _, err := c.Write([]byte("b")); err != nil {
		t.Fatal(err)
	}
	if !silent(c) {
		t.Error("bytes came through what is frozen")
	}
	p.SetBoth(Fault{})
	_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
	b := make([]byte, 1)
	if _, err := io.ReadFull(c, b); err != nil || b[0] != 'b' {
		t.Errorf("after the thaw: got %q and %v, want b", b, err)
	}
}

func TestSwallow(t *testing.T) {
	p := start(t, echo(t))
	c := dial(t, p)
	p.Set(ToTarget, Fault{Swallow: true})
	if _, err := c.Write([]byte("abc")); err != nil {
		t.Fatal(err)
	}
	if !silent(c) {
		t.Error("bytes came back that were swallowed")
	}
	if got := p.Stats().Swallowed[ToTarget]; got != 3 {
		t.Errorf("%d bytes were counted as swallowed, want 3", got)
	}
}

func TestHalfOpen(t *testing.T) {
	p := start(t, echo(t))
	c := dial(t, p)
	exchange(t, c, []byte("a"))
	p.HalfOpen(ToTarget) // the target's end is gone
	if !silent(c) {
		t.Error("the client was told")
	}
	if _, err := c.Write([]byte("b")); err != nil {
		t.Errorf("write after it: %v, want nothing to be noticed", err)
	}
	if !silent(c) {
		t.Error("something came back of it")
	}
	p.Reset()
	_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("after Reset: got %v, want a reset", err)
	}
	exchange(t, dial(t, p), []byte("new connections work"))
}

func TestRefuseAndBlackhole(t *testing.T) {
	p := start(t, echo(t))
	p.Refuse(true)
	c, err := net.Dial("tcp", p.Addr())
	if err == nil {
		defer c.Close()
		_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
		_, err = c.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("refused: got %v, want a reset", err)
	}
	p.Refuse(false)
	p.Blackhole(true)
	c = dial(t, p)
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if !silent(c) {
		t.Error("something came out of the black hole")
	}
}
