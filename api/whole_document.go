package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fairlead/api/resource"
	"fairlead/config"
	"fairlead/config/revision"
)

const (
	configPath = "/v1/config"
	// MaxDocumentBody is the most that the body of a whole document, with its zone files, may have.
	MaxDocumentBody = config.MaxDocumentBytes
	// largeBodyTimeout is how long a large body may take.
	largeBodyTimeout = 2 * time.Minute
	// maxDocumentFiles bounds the zone files of one request.
	maxDocumentFiles = 10_000

	documentPart   = "document" // of a form
	filePartPrefix = "file:"    // before the path of a zone file
)

type readConfigInput struct {
	IfNoneMatch string `header:"If-None-Match" maxLength:"2048" doc:"ETag that the client has: 304 when the document is still the same."`
	Secrets     bool   `query:"secrets" doc:"With what is else shown as ***. For administrators; it is in the audit log."`

	none tags
}

// Resolve refuses query parameters.
func (in *readConfigInput) Resolve(ctx huma.Context) []error {
	o := objectInput{IfNoneMatch: in.IfNoneMatch}
	faults := o.Resolve(ctx)
	in.none = o.none
	return faults
}

type putConfigInput struct {
	WriteParams
	IfMatch     string `header:"If-Match" maxLength:"2048" doc:"Revision, in quotes, that the document must have still: 412 when it has another one."`
	ContentType string `header:"Content-Type" hidden:"true"`
	RawBody     []byte

	match tags
}

// Resolve reads the headers.
func (in *putConfigInput) Resolve(ctx huma.Context) []error {
	faults := in.resolveWrite(ctx)
	var err error
	if in.match, err = readTags("If-Match", in.IfMatch); err != nil {
		faults = append(faults, err)
	}
	return faults
}

func (r *resources) registerConfig(rest huma.API) {
	read := huma.Operation{OperationID: "read-config", Method: http.MethodGet, Path: configPath, Tags: []string{"document"},
		Summary: "The whole document", Responses: documentResponses(), Metadata: documentMetadata()}
	register(r, rest, read, readProblems, r.readConfig)
	put := huma.Operation{OperationID: "put-config", Method: http.MethodPut, Path: configPath, Tags: []string{"document"}, Summary: "Replace the whole document",
		MaxBodyBytes: MaxDocumentBody, BodyReadTimeout: largeBodyTimeout, Metadata: documentMetadata()}
	register(r, rest, put, writeProblems, r.putConfig)
}

func (r *resources) readConfig(ctx context.Context, in *readConfigInput) (*textOutput, error) {
	_, v, err := r.documents()
	if err != nil {
		return nil, err
	}
	out := &textOutput{Status: http.StatusOK, ETag: quoted(v.Revision), Revision: v.Revision, Vary: "Accept"}
	if in.none.has(out.ETag) {
		out.Status = http.StatusNotModified
		return out, nil
	}
	return out, r.wholeText(ctx, out, v.Objects, in.Secrets)
}

// wholeText writes a whole document.
func (r *resources) wholeText(ctx context.Context, out *textOutput, objects *config.Objects, secrets bool) error {
	if secrets {
		if err := r.showSecrets(ctx, "document"); err != nil {
			return err
		}
	} else {
		objects = objects.Masked()
	}
	var b bytes.Buffer
	if wantsYAML(ctx) {
		out.ContentType = typeYAML
		if err := objects.YAML(&b); err != nil {
			return err
		}
	} else {
		out.ContentType = typeJSON
		if err := objects.JSON(&b); err != nil {
			return err
		}
	}
	out.Body = b.Bytes()
	return nil
}

func (r *resources) putConfig(ctx context.Context, in *putConfigInput) (*writeOutput, error) {
	form, err := textMedia(in.ContentType, false, true)
	if err != nil {
		return nil, err
	}
	source := config.Source{Name: "document", Text: bytes.Clone(in.RawBody)}
	if form {
		if source, err = readForm(in.ContentType, in.RawBody); err != nil {
			return nil, newProblem(http.StatusUnprocessableEntity, resource.Fault{Pointer: "/body", Code: resource.CodeInvalid, Detail: err.Error()})
		}
	}
	sent, report := source.Objects()
	if sent == nil {
		return nil, newProblem(http.StatusUnprocessableEntity, problemFaults(report.Problems(), config.SeverityError, config.ObjectKey{})...)
	}
	i := &intent{in: &in.WriteParams, action: "apply", object: "document", fixed: !in.match.absent(), sent: append([]byte(in.IfMatch), in.RawBody...)}
	i.problems = func([]config.Problem) []resource.Fault { return placesInText(source, sent) }
	i.build = func(current *revision.View) (*revision.Write, error) {
		objects := sent
		if !form {
			objects = withFilesOf(sent, current.Objects)
		}
		objects, err := unmaskAll(objects, current.Objects)
		if err != nil {
			return nil, objectProblem(err)
		}
		w := &revision.Write{Replace: objects}
		if len(in.match.list) > 0 {
			w.Base = in.match.list[0]
		} else if !form || objects != sent {
			w.Base = current.Revision // files and secrets that are taken from it must not be older than what counts
		}
		return w, nil
	}
	out, err := r.write(ctx, i)
	if err != nil {
		return nil, err
	}
	res := r.outputOf(out, i.in)
	if out.View != nil && !in.DryRun {
		res.ETag = quoted(out.View.Revision)
	}
	return res, nil
}

// withFilesOf adds the zone files that another document has: a document that is sent alone says nothing of them.
func withFilesOf(sent, current *config.Objects) *config.Objects {
	var files []*config.Object
	current.From(config.ObjectKey{Kind: config.ObjectFile}, func(o *config.Object) bool {
		if o.Key().Kind == config.ObjectFile {
			files = append(files, o)
		}
		return true
	})
	return sent.With(files, nil)
}

// unmaskAll puts the secrets of the current document where the sent one shows that there were some.
func unmaskAll(sent, current *config.Objects) (*config.Objects, error) {
	var put []*config.Object
	var refused []error
	sent.All(func(o *config.Object) bool {
		whole, err := o.Unmask(current.Get(o.Key()))
		if err != nil {
			refused = append(refused, err)
		} else if whole != o {
			put = append(put, whole)
		}
		return true
	})
	if len(refused) > 0 {
		return nil, errors.Join(refused...)
	}
	if len(put) == 0 {
		return sent, nil
	}
	return sent.With(put, nil), nil
}

// placesInText finds what is wrong with a document once more, with lines and columns: places in objects do not help who wrote a file.
func placesInText(source config.Source, sent *config.Objects) []resource.Fault {
	if source.Files == nil {
		source.Files = map[string][]byte{}
		sent.From(config.ObjectKey{Kind: config.ObjectFile}, func(o *config.Object) bool {
			source.Files[o.Key().Name] = o.Text()
			return true
		})
	}
	_, report := config.Parse(source)
	var faults []resource.Fault
	for _, p := range report.Problems() {
		if p.Severity != config.SeverityError || len(faults) == maxFaults {
			continue
		}
		pointer := "/body" + p.Path
		if p.File != source.Name {
			pointer = filePointer(p.File, source.Files)
		}
		faults = append(faults, resource.Fault{Pointer: pointer, Code: string(p.Code), Detail: problemText(p), Line: p.Line, Column: p.Column})
	}
	return faults
}

// filePointer points to a zone file, by its path in problems.
func filePointer(path string, files map[string][]byte) string {
	if _, exact := files[path]; !exact {
		for name := range files {
			if filepath.Clean(name) == path {
				path = name
				break
			}
		}
	}
	return "/objects/" + escapePointer(config.ObjectKey{Kind: config.ObjectFile, Name: path}.String())
}

// readForm reads a document and its zone files from a form (RFC 7578): a part "document", and one "file:PATH" for each file.
func readForm(contentType string, body []byte) (config.Source, error) {
	source := config.Source{Name: "document", Files: map[string][]byte{}}
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil || params["boundary"] == "" {
		return source, errors.New("the form has no boundary in Content-Type")
	}
	form := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	seen := false
	for {
		part, err := form.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return source, fmt.Errorf("the form cannot be read: %w", err)
		}
		text, err := io.ReadAll(part) // no longer than the body
		if err != nil {
			return source, fmt.Errorf("the form cannot be read: %w", err)
		}
		name := part.FormName()
		path, isFile := strings.CutPrefix(name, filePartPrefix)
		switch {
		case name == documentPart && !seen:
			source.Text, seen = text, true
		case isFile && path != "" && source.Files[path] == nil && len(source.Files) < maxDocumentFiles:
			source.Files[path] = text
		default:
			return source, fmt.Errorf("the form's part %s is not expected: there is one %q, and %qPATH for each of at most %d zone files", echo(name), documentPart, filePartPrefix, maxDocumentFiles)
		}
	}
	if !seen {
		return source, fmt.Errorf("the form has no part %q", documentPart)
	}
	return source, nil
}
