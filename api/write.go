package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fairlead/api/resource"
	"fairlead/config"
	"fairlead/config/revision"
	"fairlead/internal/access"
	"fairlead/internal/audit"
)

// Limits of writes.
const (
	// minConfirm and maxConfirm are how long a write can wait to be confirmed.
	minConfirm, maxConfirm = 5 * time.Second, 24 * time.Hour
	// maxWriteTries is how often a write is made anew because another one came before it, when its author named no revision.
	maxWriteTries = 5
	// maxIdempotencyKeys is how many keys are remembered with what they were used for. The store remembers their outcomes.
	maxIdempotencyKeys = 10_000
)

// WriteParams are what all writes of documents take besides their bodies. It is exported for huma alone.
type WriteParams struct {
	DryRun  bool   `query:"dry_run" doc:"Say what would happen, and change nothing."`
	Force   bool   `query:"force" doc:"Also when names lose their answers."`
	Confirm string `query:"confirm" maxLength:"32" doc:"Undo it after so long, as 5m, unless it is confirmed; from 5s to 24h. Absent: it stays."`
	Reason  string `query:"reason" maxLength:"1000" doc:"Why, for those who will wonder. The header Fairlead-Reason says the same."`

	ReasonHeader string `header:"Fairlead-Reason" maxLength:"1000" doc:"Why, for those who will wonder."`
	Source       string `header:"Fairlead-Source" enum:"api,cli,console" default:"api" doc:"By what the author wrote."`
	Author       string `header:"Fairlead-Author" maxLength:"256" doc:"Who writes, as user@host: counts where the node knows no more than that it is somebody on its own machine."`
	Key          string `header:"Idempotency-Key" maxLength:"255" doc:"A text of the client's own, which makes repeating the request harmless: for 24 hours a second one with the same key is told the outcome of the first."`

	confirm time.Duration
}

// resolveWrite reads what is not a plain text.
func (in *WriteParams) resolveWrite(ctx huma.Context) []error {
	faults := strictQuery(ctx)
	if in.ReasonHeader != "" {
		in.Reason = in.ReasonHeader
	}
	if in.Confirm == "" {
		return faults
	}
	var err error
	if in.confirm, err = time.ParseDuration(in.Confirm); err != nil {
		faults = append(faults, fault("/query/confirm", resource.CodeInvalid, "confirm is not a duration such as 5m, but %s", echo(in.Confirm)))
	} else if in.confirm < minConfirm || in.confirm > maxConfirm {
		faults = append(faults, fault("/query/confirm", resource.CodeInvalid, "confirm is %s; it can be from %s to %s", in.confirm, minConfirm, maxConfirm))
	}
	return faults
}

// documents returns where documents are kept.
func (r *resources) documents() (revision.Documents, *revision.View, error) {
	if r.Documents == nil {
		return nil, nil, unavailable("this node keeps no documents that can be read or written here")
	}
	v := r.Documents.Current()
	if v == nil || v.Objects == nil {
		return nil, nil, notReady()
	}
	return r.Documents, v, nil
}

// intent is one write on its way: made by its build function from what is current, which is called again when another write came first.
type intent struct {
	in     *WriteParams
	action string // a verb, for the audit log
	object string // what is written, for the audit log
	source string // in place of that of the request; empty: that
	sent   []byte // body and all else that tells the request from another one with the same idempotency key
	fixed  bool   // its author named what it is based on: it is not made anew
	admin  bool   // it needs more than the right to write objects
	build  func(current *revision.View) (*revision.Write, error)
	// body is the object that was sent: places in it are places in the body.
	body config.ObjectKey
	// problems makes problems of the document into faults. Nil: those of objects.
	problems func([]config.Problem) []resource.Fault
}

// write makes a write, or says what it would do. Who may not is refused, and who is let is in the audit log before it happens.
func (r *resources) write(ctx context.Context, i *intent) (*revision.Outcome, error) {
	docs, current, err := r.documents()
	if err != nil {
		return nil, err
	}
	who := access.From(ctx)
	for try := 1; ; try++ {
		w, err := i.build(current)
		if err != nil {
			return nil, err
		}
		changes := intended(w, current.Objects)
		if err := i.allowed(who, changes); err != nil {
			return nil, r.refusedWrite(ctx, i, err)
		}
		i.complete(w, who, current)
		if w.Once, err = r.keys.once(who, i); err != nil {
			return nil, err
		}
		out, err := r.perform(ctx, docs, i, w, current)
		if err == nil {
			return out, nil
		}
		if !isStale(err) || i.fixed || try == maxWriteTries {
			return nil, r.writeProblem(i, err, docs.Current(), out)
		}
		if _, current, err = r.documents(); err != nil {
			return nil, err
		}
	}
}

// perform plans or commits a write.
func (r *resources) perform(ctx context.Context, docs revision.Documents, i *intent, w *revision.Write, current *revision.View) (*revision.Outcome, error) {
	if i.in.DryRun {
		w.Once = ""
		return docs.Plan(ctx, w)
	}
	entry := i.entry()
	entry.Before, entry.Force, entry.Diff = current.Revision, w.Force, diffForAudit(w, current.Objects)
	var out *revision.Outcome
	err := r.auditedDo(ctx, entry, func() (err error) {
		// A client that goes away does not undo half of a write.
		out, err = docs.Commit(context.WithoutCancel(ctx), w)
		return err
	})
	if err == nil && out.Revision != nil {
		r.auditDone(ctx, audit.Entry{Action: entry.Action, Object: entry.Object, Before: entry.Before, After: out.Revision.ID, Force: entry.Force})
	}
	return out, err
}

// complete fills in what every write says.
func (i *intent) complete(w *revision.Write, who access.Identity, current *revision.View) {
	w.Author, w.Source, w.Reason = authorOf(who), i.in.Source, i.in.Reason
	if who.Kind == access.ByLoopback && i.in.Author != "" {
		w.Author = i.in.Author
	}
	if i.source != "" {
		w.Source = i.source
	}
	w.Force, w.Confirm = i.in.Force, i.in.confirm
	if !who.Limited() {
		return
	}
	// What was allowed was allowed for these objects: they must not be others when it is written, also those that it leaves as they are now.
	if w.Replace != nil && w.Base == "" {
		w.Base = current.Revision
	}
	if w.Match == nil {
		w.Match = map[config.ObjectKey]config.ObjectHash{}
	}
	match := func(key config.ObjectKey) {
		if _, said := w.Match[key]; !said {
			w.Match[key] = hashOf(current.Objects.Get(key))
		}
	}
	for _, o := range w.Put {
		match(o.Key())
	}
	for _, key := range w.Remove {
		match(key)
	}
}

func authorOf(who access.Identity) string {
	if who.Name != "" {
		return who.Name
	}
	return string(who.Kind)
}

func hashOf(o *config.Object) (h config.ObjectHash) {
	if o != nil {
		h = o.Hash()
	}
	return h
}

// allowed says whether somebody may make these changes. Objects that all others depend on are for who is limited to none.
func (i *intent) allowed(who access.Identity, changes []config.ObjectDiff) error {
	if i.admin {
		return who.May(access.Administer)
	}
	if !who.Limited() {
		return who.May(access.Write)
	}
	var labels []map[string]string
	for _, c := range changes {
		switch c.Key.Kind {
		case config.ObjectSettings, config.ObjectSite, config.ObjectViewOrder, config.ObjectFile:
			return who.May(access.Administer)
		}
		for _, o := range []*config.Object{c.Before, c.After} {
			if o != nil {
				labels = append(labels, o.Labels())
			}
		}
	}
	if len(changes) == 0 {
		return who.Could(access.Write) // nothing is changed
	}
	return who.May(access.Write, labels...)
}

// intended lists what a write would change.
func intended(w *revision.Write, current *config.Objects) []config.ObjectDiff {
	if w.Replace != nil {
		return config.Diff(current, w.Replace)
	}
	var out []config.ObjectDiff
	for _, o := range w.Put {
		if before := current.Get(o.Key()); before == nil || before.Hash() != o.Hash() {
			out = append(out, config.ObjectDiff{Key: o.Key(), Before: before, After: o})
		}
	}
	for _, k := range w.Remove {
		if before := current.Get(k); before != nil {
			out = append(out, config.ObjectDiff{Key: k, Before: before})
		}
	}
	return out
}

// idempotencyKeys remembers what keys were used for, so that using one for something else is told. Safe for concurrent use.
type idempotencyKeys struct {
	mu    sync.Mutex
	used  map[[32]byte][32]byte
	order [][32]byte // oldest first
}

// once returns the name under which the store remembers an outcome; "" without a key. Keys of one client mean nothing for another.
func (k *idempotencyKeys) once(who access.Identity, i *intent) (string, error) {
	if i.in.Key == "" || i.in.DryRun {
		return "", nil
	}
	name := digest([]byte(who.Kind), []byte(who.Name), []byte(who.TokenID), []byte(i.in.Key))
	use := digest([]byte(i.action), []byte(i.object), i.sent)
	k.mu.Lock()
	defer k.mu.Unlock()
	if before, found := k.used[name]; found && before != use {
		return "", newProblem(http.StatusUnprocessableEntity, resource.Fault{Pointer: "/header/Idempotency-Key", Code: resource.CodeKeyReused,
			Detail: "this key was used for another request; a key belongs to one request and its repetitions"})
	} else if !found {
		if k.used == nil {
			k.used = map[[32]byte][32]byte{}
		}
		if len(k.order) >= maxIdempotencyKeys {
			delete(k.used, k.order[0])
			k.order = k.order[1:]
		}
		k.used[name] = use
		k.order = append(k.order, name)
	}
	return hex.EncodeToString(name[:]), nil
}

// digest is the hash of some texts.
func digest(parts ...[]byte) (out [32]byte) {
	h := sha256.New()
	for _, p := range parts {
		sum := sha256.Sum256(p)
		h.Write(sum[:])
	}
	h.Sum(out[:0])
	return out
}
