package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fairlead/api/resource"
	"fairlead/internal/audit"
)

const auditPath = "/v1/audit"

type auditInput struct {
	Who    string    `query:"who" maxLength:"1024" doc:"Only what this token or certificate did: its name or id."`
	Object string    `query:"object" maxLength:"1024" doc:"Only changes of this object, as kind/name, or of this kind."`
	Since  time.Time `query:"since" doc:"Only what was done from then on (RFC 3339)."`
	Limit  int       `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"Most entries of a page."`
	Cursor string    `query:"cursor" maxLength:"64" doc:"next_cursor of the page before."`

	before uint64
}

// Resolve refuses query parameters that there are not, and reads the cursor.
func (in *auditInput) Resolve(ctx huma.Context) []error {
	faults := strictQuery(ctx)
	if in.Cursor == "" {
		return faults
	}
	text, err := readCursor(in.Cursor)
	if err != nil {
		return append(faults, err)
	}
	if in.before, err = strconv.ParseUint(text, 10, 64); err != nil || in.before == 0 {
		faults = append(faults, fault("/query/cursor", resource.CodeInvalid, "this is not a cursor of the audit log"))
	}
	return faults
}

type auditOutput struct{ Body resource.AuditPage }

func (r *resources) registerAudit(rest huma.API) {
	register(r, rest, huma.Operation{OperationID: "list-audit", Method: http.MethodGet, Path: auditPath, Tags: []string{"access"},
		Summary: "Who changed what at this node"}, []int{http.StatusUnprocessableEntity, http.StatusServiceUnavailable}, r.listAudit)
}

func (r *resources) listAudit(ctx context.Context, in *auditInput) (*auditOutput, error) {
	if r.Audit == nil {
		return nil, notReady()
	}
	page, err := r.Audit.List(ctx, audit.Filter{Who: in.Who, Object: in.Object, Since: in.Since, Before: in.before, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	out := &auditOutput{resource.AuditPage{Entries: make([]resource.AuditEntry, len(page.Lines)), Unreadable: page.Unreadable,
		Head: resource.AuditHead{Seq: page.Head.Seq, Hash: page.Head.Hash}}}
	for i := range page.Lines {
		out.Body.Entries[i] = describeEntry(&page.Lines[i])
	}
	if page.Next > 0 {
		out.Body.NextCursor = cursor(strconv.FormatUint(page.Next, 10))
	}
	return out, nil
}

func describeEntry(l *audit.Line) resource.AuditEntry {
	return resource.AuditEntry{Seq: l.Seq, Time: l.Time.UTC(), Who: resource.AuditWho(l.Who), Action: l.Action, Object: l.Object, Reason: l.Reason,
		Before: l.Before, After: l.After, Force: l.Force, Diff: l.Diff, Cut: l.Cut, Request: l.Request, Outcome: string(l.Outcome), Unsaid: l.Unsaid, Prev: l.Prev}
}
