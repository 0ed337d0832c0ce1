package api

import (
	"strings"
	"time"

	"fairlead/api/resource"
	"fairlead/config"
	"fairlead/config/revision"
	"fairlead/internal/audit"
)

// Limits of what is shown of changes.
const (
	maxShownChanges = 1000
	// maxShownDiff bounds the differences of all changes in one answer, in bytes.
	maxShownDiff = 1 << 20
)

// describeOutcome describes what a write did, or would do.
func (r *resources) describeOutcome(out *revision.Outcome, in *WriteParams, now time.Time) *resource.WriteResult {
	res := &resource.WriteResult{DryRun: in.DryRun, Effect: describeEffect(out.Effect), Warnings: problemFaults(out.Warnings, config.SeverityWarning, config.ObjectKey{})}
	if out.View != nil {
		res.Current, res.Document = out.View.Revision, r.documentID(out.View.Document)
	}
	if out.Revision != nil {
		res.Revision = out.Revision.ID
		if in.confirm > 0 && !in.DryRun {
			at := out.Revision.Time
			if at.IsZero() {
				at = now
			}
			res.ConfirmBy = at.Add(in.confirm).UTC().Format(time.RFC3339Nano)
		}
	}
	res.Changes, res.MoreChanges = r.describeChanges(out.Changes)
	return res
}

// describeChanges describes changes of objects with their differences, as far as there is room.
func (r *resources) describeChanges(changes []revision.ObjectChange) (list []resource.ObjectChange, more int) {
	list = []resource.ObjectChange{}
	left := maxShownDiff
	for i, c := range changes {
		if i == maxShownChanges {
			return list, len(changes) - i
		}
		d := resource.ObjectChange{Kind: c.Key.Kind.String(), Name: c.Key.Name, Change: changeWord(c.Before, c.After), ETag: r.tagger.of(c.After)}
		if left > 0 {
			if text := config.DiffText(c.Before, c.After); len(text) <= left {
				d.Diff = text
			}
			left -= len(d.Diff)
		}
		list = append(list, d)
	}
	return list, 0
}

func changeWord(before, after *config.Object) string {
	switch {
	case before == nil:
		return "added"
	case after == nil:
		return "removed"
	}
	return "changed"
}

// objectChanges returns differences as changes.
func objectChanges(diffs []config.ObjectDiff) []revision.ObjectChange {
	out := make([]revision.ObjectChange, len(diffs))
	for i, d := range diffs {
		out[i] = revision.ObjectChange{Key: d.Key, Before: d.Before, After: d.After}
	}
	return out
}

func describeEffect(e *revision.Effect) *resource.WriteEffect {
	if e == nil {
		return nil
	}
	out := &resource.WriteEffect{Queries: e.Queries, Moved: e.Moved, NewNames: e.NewNames, LostNames: e.LostNames, More: e.More}
	for _, n := range e.Names {
		out.Names = append(out.Names, resource.EffectName{Name: n.Name, Queries: n.Queries, Moved: n.Moved, From: describeShares(n.From), To: describeShares(n.To)})
	}
	return out
}

func describeShares(shares []revision.Share) []resource.EffectShare {
	out := make([]resource.EffectShare, len(shares))
	for i, s := range shares {
		out[i] = resource.EffectShare{Service: s.Service, Part: s.Part}
	}
	return out
}

// diffForAudit is what the audit log tells of a write.
func diffForAudit(w *revision.Write, current *config.Objects) string {
	var b strings.Builder
	for _, c := range intended(w, current) {
		if b.WriteString(config.DiffText(c.Before, c.After)); b.Len() > audit.MaxDiff {
			break // the log cuts it, and says so
		}
	}
	return b.String()
}
