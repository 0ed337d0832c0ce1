package replica

import (
	"context"
	"fmt"

	"go.uber.org/zap"

	"fairlead/config"
	"fairlead/config/revision"
	"fairlead/config/writes"
)

// sourceFile is the source of what a followed file says; others are answered when they change what the file says.
const sourceFile = "file"

// Follow makes a file, as it was read now, the document. A file that has changed since it was written last is written as a whole; else what other
// sites wrote by other ways than a file is put back. Errors are those of Commit.
func (e *Engine) Follow(ctx context.Context, objects *config.Objects, force bool) (*revision.Outcome, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.opts.Mode != ModeFollow {
		return nil, fmt.Errorf("follow the file %s: the mode of this node is %s", e.opts.Follows, e.opts.Mode)
	}
	id := objects.ID()
	if id == e.followed {
		e.file = objects
		before := e.Current().Revision
		e.putBack(ctx)
		out := &revision.Outcome{View: e.Current()}
		if out.View.Revision != before {
			out.Revision = &revision.Revision{ID: out.View.Revision}
		}
		return out, nil
	}
	d := &draft{byUs: true, write: &revision.Write{Replace: objects, Author: "node " + e.opts.Site, Source: sourceFile, Reason: "follow " + e.opts.Follows, Force: force}}
	err := e.draft(ctx, d)
	if err == nil {
		err = e.commit(d, func(t *transaction) { t.note(noteFollowed, []byte(id)) })
	}
	if err != nil {
		return d.outcome, err
	}
	e.file, e.followed = objects, id
	return d.outcome, nil
}

// putBack answers what other sites wrote, other than by files of theirs, with what the file says. Each of their changes is answered once, since
// the answer is a file's.
func (e *Engine) putBack(ctx context.Context) {
	if e.opts.Mode != ModeFollow || e.file == nil {
		return
	}
	w := &revision.Write{Author: "node " + e.opts.Site, Source: sourceFile, Force: true}
	var by *revision.Origin
	for _, c := range config.Diff(e.Current().Objects, writes.WithLater(e.file, e.Current().Objects)) {
		origin := e.state.Winner(c.Key).Origin
		if origin == nil || origin.Source == sourceFile || origin.Source == "seed" {
			continue
		}
		by = origin
		if c.After != nil {
			w.Put = append(w.Put, c.After)
		} else {
			w.Remove = append(w.Remove, c.Key)
		}
	}
	if by == nil {
		return
	}
	w.Reason = fmt.Sprintf("site %s follows %s; revision %.8s of site %s had changed what it says", e.opts.Site, e.opts.Follows, by.ID, by.Site)
	if err := e.writeOurs(ctx, w, nil); err != nil {
		e.log.Warn("config.follow.refused", zap.String("file", e.opts.Follows), zap.Error(err))
	}
}

// otherFiles says how the document differs from the file: then another site follows another one. Empty: it does not.
func (e *Engine) otherFiles() string {
	if e.opts.Mode != ModeFollow || e.file == nil {
		return ""
	}
	diff := config.Diff(e.Current().Objects, writes.WithLater(e.file, e.Current().Objects))
	if len(diff) == 0 {
		return ""
	}
	return fmt.Sprintf("the file of another site differs from %s at this one: %d objects, the first is %s", e.opts.Follows, len(diff), diff[0].Key)
}
