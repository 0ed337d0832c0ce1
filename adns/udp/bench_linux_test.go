package udp

import (
	"context"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkEcho sends bursts of 32 datagrams from as many sockets, or from one, and waits for all answers. One operation is
// one datagram. It measures both ends, which share the machine: compare the ways with each other, and with nothing else.
func BenchmarkEcho(b *testing.B) {
	for _, c := range []struct {
		name    string
		io      IO
		clients int
	}{
		{"raw", Raw, BatchSize}, {"netpoll", Netpoll, BatchSize}, {"portable", Portable, BatchSize},
		{"raw, one client", Raw, 1}, {"netpoll, one client", Netpoll, 1}, {"portable, one client", Portable, 1},
	} {
		b.Run(c.name, func(b *testing.B) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
			RaiseGOMAXPROCS(2) // the client blocks as the worker does
			s := start(b, loopback4, c.io, silent{})
			clients := make([]*batchWorker, c.clients)
			for i := range clients {
				clients[i] = newClient(b, s.Addr())
			}
			var before, after unix.Rusage
			_ = unix.Getrusage(unix.RUSAGE_SELF, &before)
			b.ReportAllocs()
			b.ResetTimer()
			for done := 0; done < b.N; done += BatchSize {
				for _, client := range clients {
					client.burst(b, BatchSize/len(clients))
				}
				for _, client := range clients {
					client.collect(b, BatchSize/len(clients))
				}
			}
			b.StopTimer()
			_ = unix.Getrusage(unix.RUSAGE_SELF, &after)
			cpu := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
			b.ReportMetric(float64(cpu)/float64(b.N), "cpu-ns/op")
		})
	}
}

// newClient returns a socket whose every place holds a datagram for the server.
func newClient(b *testing.B, to netip.AddrPort) *batchWorker {
	b.Helper()
	w, err := newTestWorker(netip.AddrPortFrom(loopback4, 0), true)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = unix.Close(w.fd) })
	sa, err := sockaddr(to)
	if err != nil {
		b.Fatal(err)
	}
	if err := unix.Connect(w.fd, sa); err != nil {
		b.Fatal(err)
	}
	w.ring.gso = false
	return w
}

// burst sends n datagrams of the size of a query.
func (w *batchWorker) burst(b *testing.B, n int) {
	for range n {
		if _, err := unix.Write(w.fd, w.ring.arena[:48]); err != nil {
			b.Fatal(err)
		}
	}
}

// collect receives n datagrams.
func (w *batchWorker) collect(b *testing.B, n int) {
	for tries := 0; n > 0; tries++ {
		got, errno := w.receive(unix.MSG_WAITFORONE)
		if errno == unix.EINTR || errno == unix.EAGAIN && tries < 100 {
			runtime.Gosched()
			continue
		}
		if errno != 0 {
			b.Fatal(errno)
		}
		n -= w.ring.take(got)
	}
}

// BenchmarkIdle reports what workers cost that have nothing to do, in CPU per worker and second.
func BenchmarkIdle(b *testing.B) {
	const workers = 4
	for _, io := range ways(b) {
		b.Run(io.String(), func(b *testing.B) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
			RaiseGOMAXPROCS(workers)
			start(b, loopback4, io, silent{}, func(o *Options) { o.Workers = workers })
			<-time.After(2 * quietAfter)
			var before, after unix.Rusage
			_ = unix.Getrusage(unix.RUSAGE_SELF, &before)
			ctx, cancel := context.WithTimeout(b.Context(), time.Second)
			defer cancel()
			<-ctx.Done()
			_ = unix.Getrusage(unix.RUSAGE_SELF, &after)
			cpu := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
			b.ReportMetric(float64(cpu)/workers/1e3, "cpu-us/worker/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}
