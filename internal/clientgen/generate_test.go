package clientgen_test

import (
	"bytes"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fairlead/api"
	"fairlead/internal/clientgen"
)

var update = flag.Bool("update", false, "write the client anew")

const generated = "../../api/client/api_generated.go"

func openAPI(t *testing.T) []byte {
	t.Helper()
	h, err := api.New(api.Options{State: func() *api.State { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8053/openapi.json", http.NoBody)
	r.RemoteAddr = "127.0.0.1:40000"
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("GET /openapi.json = %d %s", w.Code, w.Body)
	}
	return w.Body.Bytes()
}

// TestClientIsCurrent compares the client with what the interface says of itself now.
func TestClientIsCurrent(t *testing.T) {
	want, err := clientgen.Generate(openAPI(t))
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(generated, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(generated)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the client is not what the interface is; run go test ./internal/clientgen -update (-there +wanted):\n%s", cmp.Diff(strings.Split(string(got), "\n"), strings.Split(string(want), "\n")))
	}
}

func TestRefusedDocuments(t *testing.T) {
	for name, text := range map[string]string{
		"not JSON":                "{",
		"operation without an id": `{"paths":{"/x":{"get":{}}}}`,
	} {
		if out, err := clientgen.Generate([]byte(text)); err == nil {
			t.Errorf("%s: generated %s", name, out)
		}
	}
}
