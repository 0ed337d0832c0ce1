package node_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"fairlead/config"
	"fairlead/config/replica"
	"fairlead/config/revision"
	"fairlead/config/store"
)

// blind compiles anything and serves nothing: the node of a release for which a document was right.
type blind struct{}

type blindCandidate struct{}

func (blindCandidate) Warnings() []config.Problem { return nil }
func (blindCandidate) Inert() []config.Problem    { return nil }

func (blind) Compile(context.Context, *config.Objects, bool) (replica.Candidate, error) {
	return blindCandidate{}, nil
}

func (blind) Effect(context.Context, replica.Candidate, replica.Candidate) (*revision.Effect, error) {
	return nil, nil
}

func (blind) Adopt(replica.Candidate, *revision.View) {}

// TestStartsWithADocumentThatCannotBeServed: the data directory holds a document that does not compile. The node answers with the one before it, says so
// everywhere, keeps what it was given, and is mended by a write.
func TestStartsWithADocumentThatCannotBeServed(t *testing.T) {
	t.Parallel()
	p := newPlace(t, false)
	p.write(document("192.0.2.1"))
	n, stop := p.serve(nil)
	eventually(t, n, "www.example.test", "192.0.2.1")
	stop()

	s, err := store.Open(p.config.DataDir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := replica.New(t.Context(), replica.Options{Site: "here", Mode: replica.ModeSeed, Store: s, Compiler: blind{}})
	if err != nil {
		t.Fatal(err)
	}
	out, err := e.Commit(t.Context(), &revision.Write{Remove: []config.ObjectKey{{Kind: config.ObjectSite, Name: "here"}}, Author: "ops", Source: "api"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	n, stop = p.serve(nil)
	eventually(t, n, "www.example.test", "192.0.2.1")
	if got := n.State().LastError; !strings.Contains(got, out.Revision.ID) || !strings.Contains(got, "cannot be served") {
		t.Errorf("status says %q", got)
	}
	for path, want := range map[string]string{"/v1/sync": `"not_served":"revision ` + out.Revision.ID, "/metrics": "fairlead_config_substitute 1", "/readyz?verbose": "cannot be served",
		"/v1/status/document": "cannot be served"} {
		if got := asked(t, n.APIAddr().String(), path); !strings.Contains(got, want) {
			t.Errorf("%s lacks %q:\n%.600s", path, want, got)
		}
	}
	stop()

	n, stop = p.serve(nil) // it was not lost
	if got := n.State().LastError; !strings.Contains(got, out.Revision.ID) {
		t.Errorf("after another start: %q", got)
	}
	stop()
}

func asked(t *testing.T, address, path string) string { return askedAs(t, address, path, "") }

// askedAs is what the interface answers to the owner of a token; empty: to nobody.
func askedAs(t *testing.T, address, path, token string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
