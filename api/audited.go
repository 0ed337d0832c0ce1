package api

import (
	"context"
	"net/http"
	"time"

	"go.uber.org/zap"

	"fairlead/api/resource"
	"fairlead/internal/access"
	"fairlead/internal/audit"
)

const (
	// attemptInterval and attemptBurst bound the lines about refused attempts: who may nothing must not be able to fill the audit log until
	// what others did is rotated out.
	attemptInterval = 10 * time.Second
	attemptBurst    = 50
	// auditRetry is after how long a write that could not be audited may be tried again.
	auditRetry = 10 * time.Second
)

// audited writes an entry to the audit log before what it tells of is done. It fills in who asks. The error is a *problem: what cannot
// be audited is not done.
func (r *resources) audited(ctx context.Context, e audit.Entry) error {
	if r.Audit == nil {
		return nil
	}
	r.signEntry(ctx, &e)
	if e.Outcome == "" {
		e.Outcome = audit.Accepted
	}
	if err := r.Audit.Append(ctx, e); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		p := newProblem(http.StatusServiceUnavailable, resource.Fault{Pointer: "/path", Code: resource.CodeNotAudited,
			Detail: "the audit log cannot be written, and nothing is changed without: " + err.Error()})
		p.retry = auditRetry
		return p
	}
	r.tellAudited(&e)
	return nil
}

// auditFailed writes to the audit log that what was accepted, and is there, could not be done. That this cannot be written is in the log
// of the node: the client has to know why it was not done.
func (r *resources) auditFailed(ctx context.Context, e audit.Entry, err error) {
	e.Outcome, e.Diff, e.Reason = audit.Failed, "", err.Error()
	if again := r.audited(context.WithoutCancel(ctx), e); again != nil {
		r.log.Warn("api.failure_not_audited", zap.String("action", e.Action), zap.String("object", e.Object), zap.Error(again))
	}
}

// auditDone writes to the audit log which revision an accepted write became. It is made by then: that this cannot be written is in the log of the
// node, and the history of documents has the revision with its author.
func (r *resources) auditDone(ctx context.Context, e audit.Entry) {
	e.Outcome = audit.Done
	if err := r.audited(context.WithoutCancel(ctx), e); err != nil {
		r.log.Warn("api.revision_not_audited", zap.String("action", e.Action), zap.String("object", e.Object), zap.String("revision", e.After), zap.Error(err))
	}
}

// tellAudited tells those who listen, and may read the audit log, of a new line.
func (r *resources) tellAudited(e *audit.Entry) {
	who := e.Who.Name
	if who == "" {
		who = e.Who.Kind
	}
	data := *e
	data.Diff = "" // the log has it
	r.Events.Publish(resource.Event{Type: EventAudit, Time: e.Time, Subject: e.Object, Summary: who + ": " + e.Action + " " + e.Object + ": " + string(e.Outcome)}, data)
}

// noteAttempt writes a refused attempt to the audit log, or only counts it when there were many. That it cannot be written changes
// nothing: it was refused.
func (r *resources) noteAttempt(ctx context.Context, e audit.Entry) {
	if r.Audit == nil {
		return
	}
	if !r.attempts.Allow() {
		r.unsaid.Add(1)
		return
	}
	r.signEntry(ctx, &e)
	e.Outcome, e.Unsaid = audit.Refused, int(r.unsaid.Swap(0))
	if err := r.Audit.Append(ctx, e); err != nil {
		r.unsaid.Add(int64(e.Unsaid) + 1)
		return
	}
	r.tellAudited(&e)
}

func (r *resources) signEntry(ctx context.Context, e *audit.Entry) {
	who, a := access.From(ctx), askerOf(ctx)
	kind := who.Kind
	if kind == "" {
		kind = access.ByNothing
	}
	e.Who = audit.Who{Name: who.Name, Kind: string(kind), ID: who.TokenID, Remote: a.remote}
	e.Request = a.request
	e.Time = time.Now().UTC()
}
