package node

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"go.uber.org/zap"

	"fairlead/config"
	"fairlead/config/revision"
	"fairlead/internal/access"
	"fairlead/internal/audit"
	"fairlead/internal/wholefile"
)

// What is changed on the machine itself, past the interface, is in the audit log as well: after it was done, because nobody asked.

const (
	// localKind is how the audit log says that somebody changed a file of this machine.
	localKind = "local"
	// localWait is the longest that the audit log is waited for.
	localWait = 10 * time.Second
	// tokensKnown is the file of data_dir with the tokens that the audit log knows of, so that changes while no node runs are seen.
	tokensKnown = "tokens-known.json"
	// maxTokensNoted is how many changed tokens are noted one by one at once; of more, how many they are.
	maxTokensNoted = 200
	maxKnownBytes  = 32 << 20
)

// meetTokens notes what was changed of the tokens while no node ran. A node that starts for the first time notes all there are.
func (d *door) meetTokens() error {
	if d.audit == nil || d.config.TokensFile == "" || d.tokensSeen == "" {
		return nil
	}
	all, err := d.guard.Tokens()
	if err != nil {
		return err
	}
	var before []access.Token
	f, err := os.Open(d.tokensSeen)
	if err == nil {
		err = json.NewDecoder(io.LimitReader(f, maxKnownBytes)).Decode(&before)
		_ = f.Close()
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.log.Warn("audit.local_failed", zap.String("action", "read"), zap.String("object", d.tokensSeen), zap.Error(err))
	}
	d.tokensChanged(all, access.Missing(before, all), access.Missing(all, before))
	return nil
}

// tokensChanged notes tokens that somebody put into the file, or took out of it.
func (d *door) tokensChanged(all, added, removed []access.Token) {
	owner := ownerOf(d.config.TokensFile)
	noted := 0
	note := func(action, who string, t *access.Token) {
		if noted++; noted <= maxTokensNoted {
			d.noteLocal(audit.Entry{Who: audit.Who{Name: who, Kind: localKind}, Action: action, Object: "token/" + t.Name,
				Reason: "role " + t.Role + "; in " + d.config.TokensFile + ", which is of user " + owner})
		}
	}
	for i := range removed {
		note("token-revoke", owner, &removed[i])
	}
	for i := range added {
		note("token-create", cmp.Or(added[i].CreatedBy, owner), &added[i])
	}
	if more := noted - maxTokensNoted; more > 0 {
		d.noteLocal(audit.Entry{Who: audit.Who{Name: owner, Kind: localKind}, Action: "tokens-changed", Object: "tokens",
			Reason: fmt.Sprintf("%d more tokens were changed at once in %s, which is of user %s", more, d.config.TokensFile, owner)})
	}
	if d.audit == nil || d.tokensSeen == "" {
		return
	}
	err := wholefile.Write(d.tokensSeen, 0o600, func(w io.Writer) error { return json.NewEncoder(w).Encode(all) })
	if err != nil {
		d.log.Warn("audit.local_failed", zap.String("action", "write"), zap.String("object", d.tokensSeen), zap.Error(err))
	}
}

// noteFollowed notes a document that came from the followed file. One that was taken in at the start is noted when the audit log is open.
func (n *Node) noteFollowed(out *revision.Outcome, before *revision.View) {
	if out == nil || out.Revision == nil || out.Revision.ID == before.Revision {
		return
	}
	n.noteFollowedAs(out.Revision.ID, before)
}

// notePlanted notes the followed file when the store began with it: nothing was before.
func (n *Node) notePlanted() {
	if n.followed.planted {
		n.noteFollowedAs(n.documents.Current().Revision, &revision.View{Objects: config.NewObjects(nil)})
	}
}

func (n *Node) noteFollowedAs(now string, before *revision.View) {
	path := n.opts.Config.Config.Follow
	var diff strings.Builder
	for _, c := range config.Diff(before.Objects, n.documents.Current().Objects) {
		if diff.WriteString(config.DiffText(c.Before, c.After)); diff.Len() > audit.MaxDiff {
			break // the log cuts it, and says so
		}
	}
	e := audit.Entry{Who: audit.Who{Name: ownerOf(path), Kind: localKind}, Action: "follow", Object: "document", Before: before.Revision, After: now,
		Force: n.opts.Config.Config.Force, Diff: diff.String(), Reason: path}
	if n.door == nil {
		n.followed.atStart = append(n.followed.atStart, e)
		return
	}
	n.door.noteLocal(e)
}

// noteStart notes what was changed before the audit log was open.
func (n *Node) noteStart() error {
	for _, e := range n.followed.atStart {
		n.door.noteLocal(e)
	}
	return n.door.meetTokens()
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
