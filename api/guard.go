package api

import (
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"fairlead/api/resource"
)

const (
	// refusedInterval is the least time between two log lines about refused requests: a web page can repeat them at will.
	refusedInterval = time.Second
	// maxLoggedHost bounds what is logged of a Host or Origin header.
	maxLoggedHost = 256
)

// guard wraps what every request passes, whatever it asks for.
func (r *resources) guard(next http.Handler) http.Handler {
	origins := http.NewCrossOriginProtection()
	origins.SetDenyHandler(http.HandlerFunc(r.refuseOrigin))
	return r.recovered(safeHeaders(r.knownHost(origins.Handler(limitBody(r.identified(next))))))
}

// limitBody bounds what is read of a request: some resources take whole documents.
func limitBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		limit := int64(MaxBodyBytes)
		switch path := req.URL.Path; {
		case path == restorePath:
			limit = MaxBackupBytes
		case path == configPath, strings.HasPrefix(path, filesPath+"/"):
			limit = MaxDocumentBody
		}
		bounded := *req // the server looks at its own body to see that it need not wait for the rest of one that is refused
		bounded.Body = http.MaxBytesReader(w, req.Body, limit)
		next.ServeHTTP(w, &bounded)
	})
}

// safeHeaders keeps responses out of caches and browsers from guessing their type.
func safeHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		next.ServeHTTP(w, req)
	})
}

// knownHost refuses requests that were meant for another host. A page that makes its own name resolve to 127.0.0.1 (DNS
// rebinding) is same-origin for the browser, but its name stays in the Host header.
func (r *resources) knownHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if localHost(req.Host) || r.Host != nil && r.Host(hostName(req.Host)) {
			next.ServeHTTP(w, req)
			return
		}
		r.refusals.count(resource.CodeHostNotLocal)
		r.noteRefused(req)
		writeProblem(w, newProblem(http.StatusMisdirectedRequest, resource.Fault{Pointer: "/header/Host", Code: resource.CodeHostNotLocal,
			Detail: "the Host header names nothing that this node is asked under: loopback addresses and localhost, and outside loopback the names of its certificate and api.hosts"}))
	})
}

// localHost reports whether a Host header, with or without a port, is localhost or a loopback address.
func localHost(host string) bool {
	name := hostName(host)
	if strings.EqualFold(strings.TrimSuffix(name, "."), "localhost") {
		return true
	}
	a, err := netip.ParseAddr(name)
	return err == nil && a.Unmap().IsLoopback()
}

// hostName is a Host header without its port and brackets.
func hostName(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	if inside, ok := strings.CutPrefix(host, "["); ok {
		return strings.TrimSuffix(inside, "]")
	}
	return host
}

func (r *resources) refuseOrigin(w http.ResponseWriter, req *http.Request) {
	r.refusals.count(resource.CodeCrossOrigin)
	r.noteRefused(req)
	writeProblem(w, newProblem(http.StatusForbidden, resource.Fault{Pointer: "/header/Origin", Code: resource.CodeCrossOrigin,
		Detail: "a browser sent this on behalf of another origin; writes are taken from the same origin and from programs only"}))
}

// noteRefused logs a refused request, at most one per refusedInterval.
func (r *resources) noteRefused(req *http.Request) {
	if !r.refused.allow(time.Now(), refusedInterval) {
		return
	}
	host, origin := req.Host, req.Header.Get("Origin")
	r.log.Warn("api.refused", zap.String("remote", req.RemoteAddr), zap.String("method", req.Method),
		zap.String("host", host[:min(len(host), maxLoggedHost)]), zap.String("origin", origin[:min(len(origin), maxLoggedHost)]))
}

// every lets one event pass per interval. Safe for concurrent use.
type every struct{ last atomic.Int64 }

func (e *every) allow(now time.Time, interval time.Duration) bool {
	last, at := e.last.Load(), now.UnixNano()
	return (last == 0 || at-last >= int64(interval) || at < last) && e.last.CompareAndSwap(last, at)
}

// recovered turns a panic into a 500. When a part of the response is out already, the connection is cut instead, so that
// the client does not take the part for the whole.
func (r *resources) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		tracked := &trackedWriter{ResponseWriter: w}
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler || req.Context().Err() != nil {
				panic(http.ErrAbortHandler) // the client is gone
			}
			r.log.Error("api.panic", zap.Any("panic", p), zap.String("method", req.Method), zap.String("path", req.URL.Path),
				zap.ByteString("stack", debug.Stack()))
			if tracked.wrote {
				panic(http.ErrAbortHandler)
			}
			writeProblem(w, failure())
		}()
		next.ServeHTTP(tracked, req)
	})
}

// trackedWriter remembers whether a response has begun.
type trackedWriter struct {
	http.ResponseWriter
	wrote bool
}

func (t *trackedWriter) WriteHeader(status int) {
	t.wrote = true
	t.ResponseWriter.WriteHeader(status)
}

func (t *trackedWriter) Write(b []byte) (int, error) {
	t.wrote = true
	return t.ResponseWriter.Write(b)
}

// Unwrap gives http.ResponseController what it needs.
func (t *trackedWriter) Unwrap() http.ResponseWriter { return t.ResponseWriter }
