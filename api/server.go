package api

import (
	"log"
	"net/http"
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
	}
	if ours, ok := h.(*handler); ok {
		s.ErrorLog = stdLog(ours.log)
		s.RegisterOnShutdown(ours.stop)
	}
	return s
}

// stdLog adapts a logger for packages that want the standard one.
func stdLog(l *zap.Logger) *log.Logger {
	out, err := zap.NewStdLogAt(l, zap.WarnLevel)
	if err != nil {
		return zap.NewStdLog(l) // only an unknown level fails
	}
	return out
}
