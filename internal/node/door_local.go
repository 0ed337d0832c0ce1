package node

import (
	"context"
	"time"

	"go.uber.org/zap"

	"fairlead/config/revision"
	"fairlead/internal/access"
	"fairlead/internal/audit"
)

// What is changed on the machine itself, past the interface, is in the audit log as well: after it was done, because nobody asked.

const (
	// localKind is how the audit log says that somebody changed a file of this machine.
	localKind = "local"
	// localWait is the longest that the audit log is waited for.
	localWait = 10 * time.Second
)

// tokensChanged notes tokens that somebody put into the file, or took out of it.
func (d *door) tokensChanged(added, removed []access.Token) {
	owner := ownerOf(d.config.TokensFile)
	note := func(action, who string, t *access.Token) {
		d.noteLocal(audit.Entry{Who: audit.Who{Name: who, Kind: localKind}, Action: action, Object: "token/" + t.Name,
			Reason: "role " + t.Role + "; in " + d.config.TokensFile + ", which is of user " + owner})
	}
	for i := range removed {
		note("token-revoke", owner, &removed[i])
	}
	for i := range added {
		who := added[i].CreatedBy
		if who == "" {
			who = owner
		}
		note("token-create", who, &added[i])
	}
}

// noteFollowed notes a document that came from the followed file.
func (n *Node) noteFollowed(out *revision.Outcome, before string) {
	if n.door == nil || out == nil || out.Revision == nil || out.Revision.ID == before {
		return
	}
	path := n.opts.Config.Config.Follow
	n.door.noteLocal(audit.Entry{Who: audit.Who{Name: ownerOf(path), Kind: localKind}, Action: "follow", Object: "document", Before: before, After: out.Revision.ID,
		Force: n.opts.Config.Config.Force, Reason: path})
}

// noteLocal writes what was done on this machine to the audit log.
func (d *door) noteLocal(e audit.Entry) {
	if d.audit == nil {
		return
	}
	e.Outcome = audit.Done
	ctx, stop := context.WithTimeout(context.Background(), localWait)
	defer stop()
	if err := d.audit.Append(ctx, e); err != nil {
		d.log.Warn("audit.local_failed", zap.String("action", e.Action), zap.String("object", e.Object), zap.Error(err))
	}
}
