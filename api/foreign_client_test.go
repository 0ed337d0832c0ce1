//go:build integration

package api

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestForeignClient: another project's validator finds nothing in the OpenAPI document, and a client that another project generates from it compiles with all
// checks and works.
func TestForeignClient(t *testing.T) {
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("npm is not installed")
	}
	f := newDocumentsFixture(t)
	server := httptest.NewServer(f.handler)
	t.Cleanup(server.Close)
	dir := t.TempDir()
	program, err := os.ReadFile("testdata/foreign/use.ts")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"use.ts": program, "openapi.json": f.request(http.MethodGet, "/openapi.json", "").Body.Bytes(), "package.json": []byte("{}")} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(name string, args ...string) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		c := exec.CommandContext(ctx, name, args...)
		c.Dir = dir
		c.Env = append(os.Environ(), "REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true")
		out, err := c.CombinedOutput()
		return string(out), err
	}
	if out, err := run("npm", "install", "--no-audit", "--no-fund", "@redocly/cli@2", "openapi-typescript@7.13.0", "openapi-fetch@0", "typescript@5", "@types/node@20"); err != nil {
		t.Skipf("the packages cannot be installed: %v: %s", err, out)
	}
	for _, command := range [][]string{
		{"npx", "redocly", "lint", "--extends=spec", "openapi.json"},
		// What has a default need not be sent: the generator would have it required.
		{"npx", "openapi-typescript", "openapi.json", "--default-non-nullable=false", "-o", "api.d.ts"},
		{"npx", "tsc", "--strict", "--skipLibCheck", "--module", "nodenext", "--moduleResolution", "nodenext", "--types", "node", "use.ts"},
	} {
		if out, err := run(command[0], command[1:]...); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, out)
		}
	}
	out, err := run("node", "use.js", server.URL)
	if want := "added service web-foreign\n/body/site FL1302\n/body FL1408\nold-nyc web-foreign web-nyc\n"; err != nil || out != want {
		t.Errorf("the client printed %q, %v; want %q", out, err, want)
	}
}
