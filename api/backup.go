package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"go.uber.org/zap"

	"fairlead/api/resource"
	"fairlead/internal/access"
)

const (
	backupPath  = "/v1/backup"
	restorePath = "/v1/restore"
	// MaxBackupBytes is the most that the body of a backup may have.
	MaxBackupBytes = 512 << 20
	// backupTimeout is how long a backup may take on the way.
	backupTimeout = 10 * time.Minute
	// minPassphrase is the shortest passphrase, in bytes.
	minPassphrase = 12

	passphraseHeader = "Fairlead-Passphrase"
)

// ErrNeedsPassphrase says that a backup has secrets, and is written with a passphrase only.
var ErrNeedsPassphrase = errors.New("a passphrase is needed")

type backupInput struct {
	Passphrase string `header:"Fairlead-Passphrase" maxLength:"1024" doc:"Encrypts the backup, which then has keys and secret files, too. Absent: it has none of these."`
}

// Resolve refuses query parameters.
func (in *backupInput) Resolve(ctx huma.Context) []error {
	faults := strictQuery(ctx)
	if n := len(in.Passphrase); n > 0 && n < minPassphrase {
		faults = append(faults, fault("/header/"+passphraseHeader, resource.CodeInvalid, "the passphrase has %d bytes; it has at least %d", n, minPassphrase))
	}
	return faults
}

type restoreInput struct {
	Passphrase string `header:"Fairlead-Passphrase" maxLength:"1024" doc:"That the backup was encrypted with."`
	RawBody    []byte
}

// Resolve refuses query parameters.
func (in *restoreInput) Resolve(ctx huma.Context) []error { return strictQuery(ctx) }

type restoreOutput struct{ Body resource.Restored }

func (r *resources) registerBackup(rest huma.API) {
	op := func(id, method, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Tags: []string{"backup"}, Summary: summary}
	}
	read := op("read-backup", http.MethodGet, backupPath, "All that the node knows, in one file")
	read.Responses = map[string]*huma.Response{"200": {Description: "The backup.", Content: map[string]*huma.MediaType{
		typeOctets: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}}}}
	register(r, rest, read, []int{http.StatusForbidden, http.StatusUnprocessableEntity, http.StatusServiceUnavailable}, r.backup)
	restore := op("restore-backup", http.MethodPost, restorePath, "Take a backup in")
	restore.MaxBodyBytes, restore.BodyReadTimeout = MaxBackupBytes, backupTimeout
	register(r, rest, restore, writeProblems, r.restore)
}

// backup sends a backup while it is made. When that fails the connection is cut, so that a part is not taken for the whole.
func (r *resources) backup(ctx context.Context, in *backupInput) (*huma.StreamResponse, error) {
	if r.Backup == nil {
		return nil, unavailable("this node makes no backups")
	}
	i := &intent{in: &WriteParams{}, action: "backup"}
	if in.Passphrase != "" {
		i.object = "with secrets"
	}
	if err := access.From(ctx).May(access.Administer); err != nil {
		return nil, r.refusedWrite(ctx, i, err)
	}
	if err := r.auditedDo(ctx, i.entry(), func() error { return nil }); err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		req, w := humachi.Unwrap(hc)
		w.Header().Set("Content-Type", typeOctets)
		w.Header().Set("Content-Disposition", `attachment; filename="fairlead-`+r.Site+`.backup"`)
		if req.Method == http.MethodHead {
			return
		}
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(backupTimeout)) // recorders of tests have none
		sent := &trackedWriter{ResponseWriter: w}
		if err := r.Backup(req.Context(), sent, in.Passphrase); err != nil {
			if errors.Is(err, ErrNeedsPassphrase) && !sent.wrote {
				w.Header().Del("Content-Disposition")
				writeProblem(w, newProblem(http.StatusUnprocessableEntity, resource.Fault{Pointer: "/header/" + passphraseHeader, Code: resource.CodeRequired, Detail: err.Error()}))
				return
			}
			r.log.Error("api.backup_failed", zap.Error(err))
			panic(http.ErrAbortHandler)
		}
	}}, nil
}

func (r *resources) restore(ctx context.Context, in *restoreInput) (*restoreOutput, error) {
	if r.Restore == nil {
		return nil, unavailable("this node takes no backups in while it runs; stop it and use fairlead restore")
	}
	i := &intent{in: &WriteParams{}, action: "restore-backup"}
	if err := access.From(ctx).May(access.Administer); err != nil {
		return nil, r.refusedWrite(ctx, i, err)
	}
	var out *resource.Restored
	err := r.auditedDo(ctx, i.entry(), func() (err error) {
		out, err = r.Restore(ctx, io.Reader(bytes.NewReader(in.RawBody)), in.Passphrase)
		return err
	})
	if err != nil {
		return nil, newProblem(http.StatusUnprocessableEntity, resource.Fault{Pointer: "/body", Code: resource.CodeNotABackup, Detail: err.Error()})
	}
	return &restoreOutput{*out}, nil
}
