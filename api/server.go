package api

import (
	"log"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"
)

// Limits of the HTTP server.
const (
	// MaxBodyBytes is the most a request's body may have.
	MaxBodyBytes = 1 << 20
	// maxHeaderBytes bounds the request line and the headers together.
	maxHeaderBytes = 32 << 10

	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	writeTimeout      = 30 * time.Second
	idleTimeout       = 2 * time.Minute
	// maxStreams is how many requests one connection of HTTP/2 has at once.
	maxStreams = 32
)

// Server returns an HTTP server for h with limits on what a client may send and how long it may take. The caller listens,
// serves and shuts down. With a handler from New the server's own messages go to its logger.
func Server(h http.Handler) *http.Server {
	s := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
	}
	if ours, ok := h.(*handler); ok {
		s.ErrorLog = log.New(&serverMessages{log: ours.log}, "", 0)
		s.RegisterOnShutdown(ours.stop)
	}
	return s
}

// serverMessages takes what the server says of connections, such as handshakes that failed: one line a second, because anybody can cause
// them.
type serverMessages struct {
	log  *zap.Logger
	last every
}

// Write logs one message.
func (m *serverMessages) Write(text []byte) (int, error) {
	if m.last.allow(time.Now(), refusedInterval) {
		m.log.Warn("api.connection", zap.String("what", strings.TrimSpace(string(text))))
	}
	return len(text), nil
}

// stdLog adapts a logger for packages that want the standard one.
func stdLog(l *zap.Logger) *log.Logger {
	out, err := zap.NewStdLogAt(l, zap.WarnLevel)
	if err != nil {
		return zap.NewStdLog(l) // only an unknown level fails
	}
	return out
}
