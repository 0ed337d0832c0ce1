package api

import (
	"context"

	"fairlead/config"
	"fairlead/internal/access"
	"fairlead/internal/audit"
)

// auditedDo does something that changes what there is, after it is in the audit log. When the log cannot be written nothing is done.
func (r *resources) auditedDo(ctx context.Context, entry audit.Entry, do func() error) error {
	if err := r.audited(ctx, entry); err != nil {
		return err
	}
	err := do()
	if err != nil {
		r.auditFailed(ctx, entry, err)
	}
	return err
}

// refusedWrite is a write that its author may not make. It is in the audit log, too.
func (r *resources) refusedWrite(ctx context.Context, i *intent, refusal error) error {
	return r.refuse(ctx, refusal, i.entry())
}

// documentRights adds what the operations about documents ask of who asks. What somebody may write who is limited to labels is for their handlers to
// say. Those that are missing are for admins alone.
func documentRights(out map[string]right) {
	read, write := right{action: access.Read}, right{action: access.Write, byObject: true}
	for _, kind := range config.ObjectKinds {
		word := kind.String()
		out["read-"+word], out["put-"+word], out["delete-"+word] = read, write, write
		single := kind == config.ObjectSettings || kind == config.ObjectViewOrder
		if !single {
			out["list-"+word+"-objects"] = read
		}
		if kind != config.ObjectFile && kind != config.ObjectViewOrder {
			out["patch-"+word] = write
		}
	}
	for _, operation := range []string{"read-config", "list-revisions", "get-revision", "read-revision-config", "diff-revisions", "get-sync", "list-conflicts", "list-peers", "listen-events", "docs"} {
		out[operation] = read
	}
	out["put-config"], out["rollback-revision"], out["confirm-revision"] = write, write, write
	for _, operation := range []string{"resolve-conflict", "read-backup", "restore-backup"} {
		out[operation] = right{action: access.Administer}
	}
}
