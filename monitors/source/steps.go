package source

import (
	"context"
	"crypto/tls"
	"net/http/httptrace"
	"sync"
	"time"
)

// maxSteps bounds what a read notes of what it did.
const maxSteps = 64

// steps notes what a read did, and when since it began. What net/http tells of connections it may tell late, from goroutines of its own.
type steps struct {
	began time.Time
	mu    sync.Mutex
	list  []Step
	over  bool
}

type stepsKey struct{}

// withSteps returns a context whose read notes its steps.
func withSteps(ctx context.Context) (context.Context, *steps) {
	s := &steps{began: time.Now()}
	return context.WithValue(ctx, stepsKey{}, s), s
}

// step notes a part that is done, in a read whose context it is.
func step(ctx context.Context, name, note string) {
	if s, ok := ctx.Value(stepsKey{}).(*steps); ok {
		s.add(name, note)
	}
}

func (s *steps) add(name, note string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.over && len(s.list) < maxSteps {
		s.list = append(s.list, Step{Name: name, At: time.Since(s.began), Note: note})
	}
}

// end returns the steps; there will be no more.
func (s *steps) end() []Step {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	return s.list
}

// connections returns a context with which net/http notes the connection that it uses.
func connections(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
		note := got.Conn.RemoteAddr().String()
		if got.Reused {
			note += ", kept from the last read"
		}
		step(ctx, "connect", note)
		if secure, ok := got.Conn.(*tls.Conn); ok {
			step(ctx, "tls", tls.VersionName(secure.ConnectionState().Version))
		}
	}})
}
