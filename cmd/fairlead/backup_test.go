package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBackupAndRestoreCommands makes a backup of a stopped node and restores it beside; the details are tests of internal/backup.
func TestBackupAndRestoreCommands(t *testing.T) {
	root := t.TempDir()
	in := func(name string) string { return filepath.Join(root, name) }
	for name, text := range map[string]string{"pass": "correct horse battery staple\n", "empty": "\n", "bad": "no backup", "node.yaml": "site: ams\n"} {
		if err := os.WriteFile(in(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name, args string
		code       int
		want       string
	}{
		{"backup of an earlier release", "restore testdata/format-1.backup --data-dir @data", exitDone, "made 2026-11-22T06:00:00Z by v0\nrevision "},
		{"stopped node", "backup --data-dir @data -o @one", exitDone, ""},
		{"file that is there", "backup --data-dir @data -o @one", exitUsage, "file exists"},
		{"no store", "backup --data-dir @none -o @two", exitFailed, "there is no store"},
		{"secrets without a passphrase", "backup --with-secrets -o @two", exitUsage, "needs --passphrase-file"},
		{"secrets of an unknown place", "backup --with-secrets --passphrase-file @pass --data-dir @data -o @two", exitUsage, "--node"},
		{"empty passphrase", "backup --data-dir @data --passphrase-file @empty -o @two", exitUsage, "is the passphrase"},
		{"encrypted", "backup --data-dir @data --passphrase-file @pass -o @sealed", exitDone, ""},
		{"wrong node file", "backup --node @node.yaml -o @two", exitFailed, "node.yaml"},
		{"check", "restore @one --check", exitDone, "backup of a site, made "},
		{"check without the passphrase", "restore @sealed --check", exitFailed, "the passphrase is missing or wrong"},
		{"check with it", "restore @sealed --check --passphrase-file @pass", exitDone, "2 files"},
		{"neither check nor directory", "restore @one", exitUsage, "data-dir"},
		{"foreign", "restore @bad --data-dir @data", exitFailed, "is not a backup"},
		{"restore", "restore @one --data-dir @data", exitDone, "the data directory from before is " + in("data.before-restore-")},
	} {
		var out, problems output
		code := run(t.Context(), strings.Fields(strings.ReplaceAll(tt.args, "@", root+"/")), &out, &problems)
		if text := out.String() + problems.String(); code != tt.code || !strings.Contains(text, tt.want) {
			t.Errorf("%s: got exit code %d, want %d, and %q in:\n%s", tt.name, code, tt.code, tt.want, text)
		}
	}
	if _, err := os.Stat(in("two")); err == nil {
		t.Error("a backup that failed left a file")
	}
}

func TestBackupOfANodeThatRuns(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/backup" || r.Method != http.MethodGet {
			t.Errorf("asked for %s %s", r.Method, r.URL)
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		_, _ = w.Write([]byte("backup " + r.Header.Get("Fairlead-Passphrase")))
	}))
	defer server.Close()
	dir := t.TempDir()
	pass := filepath.Join(dir, "pass")
	if err := os.WriteFile(pass, []byte("correct horse battery staple\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ args, want string }{{"", "backup "}, {"--with-secrets --passphrase-file " + pass, "backup correct horse battery staple"}} {
		var out, problems output
		code := run(t.Context(), append([]string{"backup", "--api", server.URL}, strings.Fields(tt.args)...), &out, &problems)
		if code != exitDone || out.String() != tt.want {
			t.Errorf("%q: got %d, %q, %s", tt.args, code, out.String(), problems.String())
		}
	}
}

// TestBackupHasTheNodeFile: that of a node that runs, too, and a restore says where it was.
func TestBackupHasTheNodeFile(t *testing.T) {
	dir, fairlead := writable(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	fairlead(exitDone, "backup", "-o", in("one"))
	out, said := fairlead(exitDone, "restore", in("one"), "--data-dir", in("restored-data"))
	says(t, out+said, in("node.yaml"))
	got, err := os.ReadFile(filepath.Join(in("restored-data"), "restored", "node", "node.yaml"))
	want, wantErr := os.ReadFile(in("node.yaml"))
	if err != nil || wantErr != nil || string(got) != string(want) {
		t.Errorf("the node file came back as %q (%v), and was %q (%v)", got, err, want, wantErr)
	}
}
