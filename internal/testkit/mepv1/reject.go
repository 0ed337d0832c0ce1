package mepv1

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"
)

// Rejection is why a connection or session was ended by this site for something the other end did. The words are
// stable: metrics and logs carry them.
type Rejection string

// Rejections.
const (
	RejectBusy        Rejection = "busy"         // too many connections that have not proved a site yet
	RejectHandshake   Rejection = "handshake"    // closed, or out of time, before it had proved a site
	RejectTLS         Rejection = "tls"          // TLS handshake, certificate or authority not acceptable
	RejectUnknownSite Rejection = "unknown-site" // a site that is not configured, or this site itself
	RejectWrongSite   Rejection = "wrong-site"   // not the site it has to be, or not from its address
	RejectVersion     Rejection = "version"      // no common protocol version
	RejectMalformed   Rejection = "malformed"    // bytes that are not the protocol
	RejectOversize    Rejection = "oversize"     // frame or set above its limit
	RejectSequence    Rejection = "sequence"     // replayed, lost or reordered frame or set
	RejectFlood       Rejection = "flood"        // above the frame or byte rate
	RejectSlowReader  Rejection = "slow-reader"  // took nothing for a keepalive timeout
	RejectDuplicate   Rejection = "duplicate"    // an older instance of a site whose newer one is connected
)

// refusal is an error that counts as a Rejection.
type refusal struct {
	kind Rejection
	err  error
}

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

func refusef(kind Rejection, format string, args ...any) error {
	return &refusal{kind, fmt.Errorf(format, args...)}
}

// rejectionOf returns the Rejection that err counts as.
func rejectionOf(err error) (Rejection, bool) {
	var r *refusal
	if errors.As(err, &r) {
		return r.kind, true
	}
	return "", false
}

// tally counts rejections and keeps a hostile or broken peer from filling the log.
type tally struct {
	mu     sync.Mutex
	counts map[Rejection]uint64
	logged map[string]time.Time // at most maxLogKeys
}

func (t *tally) count(kind Rejection) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = make(map[Rejection]uint64)
	}
	t.counts[kind]++
}

// quiet reports whether key was logged within logQuiet, or maxLogKeys others were; if not, it is taken as logged now.
func (t *tally) quiet(key string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if at, ok := t.logged[key]; ok && now.Sub(at) < logQuiet {
		return true
	}
	if len(t.logged) >= maxLogKeys {
		maps.DeleteFunc(t.logged, func(_ string, at time.Time) bool { return now.Sub(at) >= logQuiet })
		if len(t.logged) >= maxLogKeys {
			return true
		}
	}
	if t.logged == nil {
		t.logged = make(map[string]time.Time)
	}
	t.logged[key] = now
	return false
}

func (t *tally) snapshot() map[Rejection]uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.counts)
}
