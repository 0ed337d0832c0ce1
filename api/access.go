package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"go.uber.org/zap"

	"fairlead/api/resource"
	"fairlead/internal/access"
	"fairlead/internal/audit"
)

const (
	requestIDHeader = "X-Request-Id"
	maxRequestID    = 64
	requestIDBytes  = 8 // of those that are made here
)

// asker is who sent a request, as far as the request says.
type asker struct {
	refusal error // why it is not known who; nil: that is in the context
	request string
	remote  string
}

type askerKey struct{}

func askerOf(ctx context.Context) asker {
	a, _ := ctx.Value(askerKey{}).(asker)
	return a
}

// identified finds out who asks, for all that comes after. What they may do is asked of each operation.
func (r *resources) identified(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		a := asker{request: requestID(req), remote: req.RemoteAddr}
		w.Header().Set(requestIDHeader, a.request)
		who := access.Identity{Name: "loopback", Kind: access.ByLoopback, Role: access.Admin}
		if r.Access != nil {
			if who, a.refusal = r.Access.Authenticate(req); a.refusal == nil {
				if err := r.Access.Throttle(who, req); err != nil {
					r.answerRefusal(w, err)
					return
				}
			}
		}
		ctx := context.WithValue(req.Context(), askerKey{}, a)
		next.ServeHTTP(w, req.WithContext(access.WithIdentity(ctx, who)))
	})
}

// requestID is what the client calls its request, or a name that is made for it.
func requestID(req *http.Request) string {
	id := req.Header.Get(requestIDHeader)
	plain := func(c rune) bool {
		return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.ContainsRune("-_.", c)
	}
	if id != "" && len(id) <= maxRequestID && strings.IndexFunc(id, func(c rune) bool { return !plain(c) }) < 0 {
		return id
	}
	var made [requestIDBytes]byte
	rand.Read(made[:]) //nolint:errcheck // it never fails
	return hex.EncodeToString(made[:])
}

// allow says whether a request for an operation may go on. A refused one has been answered.
func (r *resources) allow(operation string, w http.ResponseWriter, req *http.Request) bool {
	need := r.rights[operation]
	if need.action == access.Public {
		return true
	}
	ctx := req.Context()
	err := askerOf(ctx).refusal
	if err == nil {
		who := access.From(ctx)
		if err = who.Could(need.action); err == nil && !need.byObject {
			err = who.May(need.action)
		}
	}
	if err == nil {
		return true
	}
	var refusal *access.Refusal
	if errors.As(err, &refusal) && refusal.Unknown() && r.Access != nil {
		if tooMany := r.Access.Failed(req); tooMany != nil {
			err = tooMany
		}
	}
	if need.action != access.Read && !need.measures {
		r.noteAttempt(ctx, audit.Entry{Action: operation, Object: req.URL.Path, Reason: err.Error()})
	}
	r.answerRefusal(w, err)
	return false
}

// checksRights is allow for an operation of huma.
func (r *resources) checksRights(operation string) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		req, w := humachi.Unwrap(ctx)
		if r.allow(operation, w, req.WithContext(ctx.Context())) {
			next(ctx)
		}
	}
}

// may asks of who sent the request what the table of rights does not know: see access.Identity.May. The error is a *problem, and e is in
// the audit log.
func (r *resources) may(ctx context.Context, e audit.Entry, action access.Action, labels ...map[string]string) error {
	if err := access.From(ctx).May(action, labels...); err != nil {
		return r.refuse(ctx, err, e)
	}
	return nil
}

// refuse makes a refusal of package access a *problem, and notes the attempt in the audit log unless e has no action.
func (r *resources) refuse(ctx context.Context, err error, e audit.Entry) error {
	if e.Reason = err.Error(); e.Action != "" {
		r.noteAttempt(ctx, e)
	}
	return r.refusalProblem(err)
}

// answerRefusal answers a request that is not let through.
func (r *resources) answerRefusal(w http.ResponseWriter, err error) {
	p := r.refusalProblem(err)
	if p.Status == http.StatusUnauthorized || p.Status == http.StatusTooManyRequests {
		w.Header().Set("Connection", "close") // it must not hold one of few connections
	}
	writeProblem(w, p)
}

// refusalProblem is what somebody who is refused is told. It is counted, and logged now and then.
func (r *resources) refusalProblem(err error) *problem {
	var refusal *access.Refusal
	if !errors.As(err, &refusal) {
		r.log.Error("api.failed", zap.String("operation", "access"), zap.Error(err))
		return failure()
	}
	r.refusals.count(string(refusal.Reason))
	if r.denied.allow(time.Now(), refusedInterval) {
		r.log.Warn("api.denied", zap.String("reason", string(refusal.Reason)), zap.String("why", refusal.Why))
	}
	status, pointer := http.StatusForbidden, "/path"
	switch {
	case refusal.Unknown():
		status, pointer = http.StatusUnauthorized, "/header/Authorization"
	case refusal.Reason == access.TooManyFailures || refusal.Reason == access.TooManyRequests:
		status, pointer = http.StatusTooManyRequests, "/header/Authorization"
	}
	p := newProblem(status, resource.Fault{Pointer: pointer, Code: string(refusal.Reason), Detail: refusal.Why})
	switch status {
	case http.StatusTooManyRequests:
		p.retry = time.Second
	case http.StatusUnauthorized:
		p.challenge = `Bearer realm="fairlead"`
		if refusal.Reason != access.NoCredentials {
			p.challenge += `, error="invalid_token"`
		}
	}
	return p
}

// refusalCounts counts refused requests by reason.
type refusalCounts map[string]*atomic.Uint64

func newRefusalCounts() refusalCounts {
	out := refusalCounts{resource.CodeHostNotLocal: new(atomic.Uint64), resource.CodeCrossOrigin: new(atomic.Uint64)}
	for _, reason := range access.Reasons() {
		out[string(reason)] = new(atomic.Uint64)
	}
	return out
}

func (c refusalCounts) count(reason string) {
	if n := c[reason]; n != nil {
		n.Add(1)
	}
}
