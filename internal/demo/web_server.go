package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Limits of a web server.
const (
	webHeadTimeout  = 5 * time.Second
	webIdleTimeout  = 30 * time.Second
	webMaxHeadBytes = 16 << 10
)

// webServer is one service: a real HTTP server that can be told to fail and to be busy. Its load is the connections that
// are open, and simulated ones beside them. Safe for concurrent use.
type webServer struct {
	Name, Site string
	// Address is what its service is answered with. The listener may be elsewhere.
	Address netip.AddrPort
	// Pushed says that its load is pushed to the API of its site, not read from it.
	Pushed bool

	listener  net.Listener
	failed    atomic.Bool
	simulated atomic.Int64 // connections

	mu   sync.Mutex
	open map[net.Conn]struct{} // bounded by the open files of the process
}

// Fail makes the server answer 503 to everything but /load.
func (s *webServer) Fail() { s.failed.Store(true) }

// Heal ends Fail.
func (s *webServer) Heal() { s.failed.Store(false) }

// Simulate sets how many connections are made up.
func (s *webServer) Simulate(connections int) { s.simulated.Store(int64(connections)) }

// Active returns how many connections the server reports.
func (s *webServer) Active() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return uint64(s.simulated.Load()) + uint64(len(s.open))
}

// Run serves until ctx ends, and returns when all connections are closed.
func (s *webServer) Run(ctx context.Context) error {
	server := &http.Server{
		Handler: s.handler(), ConnState: s.track,
		ReadHeaderTimeout: webHeadTimeout, IdleTimeout: webIdleTimeout, MaxHeaderBytes: webMaxHeadBytes,
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve web server %q: %w", s.Name, err)
	}
	return nil
}

func (s *webServer) track(conn net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch state {
	case http.StateNew:
		if s.open == nil {
			s.open = make(map[net.Conn]struct{})
		}
		s.open[conn] = struct{}{}
	case http.StateClosed, http.StateHijacked:
		delete(s.open, conn)
	}
}

func (s *webServer) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if s.failed.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintf(w, "%s at site %s has failed\n", s.Name, s.Site)
			return
		}
		fmt.Fprintf(w, "%s at site %s, on %s\n", s.Name, s.Site, s.Address)
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if s.failed.Load() {
			http.Error(w, "failed", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /load", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, "{\"active\": %d}\n", s.Active())
	})
	return mux
}
