package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// editor makes a shell script the user's editor, and returns where it can leave something. The script gets the file as $1.
func editor(t *testing.T, script string) (dir string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the editor of this test is a shell script")
	}
	dir = t.TempDir()
	path := filepath.Join(dir, "editor")
	if err := os.WriteFile(path, []byte("#!/bin/sh\nset -e\ncd "+dir+"\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("VISUAL", path)
	t.Setenv("TMPDIR", dir)
	return dir
}

func TestEdit(t *testing.T) {
	_, fairlead := writable(t)
	dir := editor(t, `sed -i 's/192.0.2.1/192.0.2.11/' "$1"`)
	out, _ := fairlead(exitDone, "edit", "service/web", "--reason", "moved")
	says(t, out, "+addresses: [192.0.2.11]", "revision ")
	if left, _ := filepath.Glob(filepath.Join(dir, "fairlead-*")); len(left) > 0 {
		t.Errorf("an edit that was written leaves %v", left)
	}

	editor(t, "true")
	_, problems := fairlead(exitDone, "edit", "config")
	says(t, problems, "nothing was changed")
	editor(t, `: > "$1"`)
	_, problems = fairlead(exitDone, "edit", "service/web")
	says(t, problems, "nothing was changed")
	fairlead(exitNotFound, "edit", "service/nobody")
	fairlead(exitUsage, "edit", "web")

	editor(t, `sed -i 's/name: shop/name: store/; /^locations/,$d' "$1"`)
	out, _ = fairlead(exitDone, "edit", "config")
	says(t, out, "+ service/store", "- service/shop")
}

// TestEditAgain: what is wrong is shown on top of what was typed; the second try is right.
func TestEditAgain(t *testing.T) {
	_, fairlead := writable(t)
	dir := editor(t, `if [ -e tried ]; then cp "$1" second; sed -i 's/192.0.2.300/192.0.2.30/' "$1"; else touch tried; sed -i 's/192.0.2.1/192.0.2.300/' "$1"; fi`)
	out, _ := fairlead(exitDone, "edit", "service/web")
	says(t, out, "+addresses: [192.0.2.30]")
	second, err := os.ReadFile(filepath.Join(dir, "second"))
	if err != nil {
		t.Fatal(err)
	}
	says(t, string(second), `#~ service/web:3:13: error: "192.0.2.300" is not`, "addresses: [192.0.2.300]")
}

// TestEditGivenUp keeps what was typed.
func TestEditGivenUp(t *testing.T) {
	_, fairlead := writable(t)
	for name, tt := range map[string]struct {
		script string
		code   int
	}{
		"still wrong":       {`sed -i 's/192.0.2.1/192.0.2.300/' "$1"`, exitFailed},
		"the editor breaks": {`sed -i 's/192.0.2.1\b/192.0.2.300/' "$1"; [ ! -e tried ]; touch tried`, exitFailed},
	} {
		dir := editor(t, tt.script)
		_, problems := fairlead(tt.code, "edit", "service/web")
		left, _ := filepath.Glob(filepath.Join(dir, "fairlead-*"))
		if len(left) != 1 || !strings.Contains(problems, "what you wrote is in "+left[0]) {
			t.Fatalf("%s: it leaves %v and says:\n%s", name, left, problems)
		}
		if text, err := os.ReadFile(left[0]); err != nil || !strings.Contains(string(text), "192.0.2.300") || strings.Contains(string(text), editMark) {
			t.Errorf("%s: it keeps %q, %v", name, text, err)
		}
	}
	out, _ := fairlead(exitDone, "get", "service", "web", "-o", "yaml")
	says(t, out, "192.0.2.1]")
}

// TestEditOfWhatChanged: somebody else was first while the editor was open.
func TestEditOfWhatChanged(t *testing.T) {
	_, fairlead := writable(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The test binary is the command when it is called so: see TestMain.
	link := filepath.Join(t.TempDir(), "fairlead")
	if err := os.Symlink(self, link); err != nil {
		t.Skip(err)
	}
	editor(t, link+` patch service/web -p '{"port": 99}' > /dev/null; sed -i 's/192.0.2.1/192.0.2.11/' "$1"`)
	_, problems := fairlead(exitConflict, "edit", "service/web")
	says(t, problems, "what you wrote is in ")
	out, _ := fairlead(exitDone, "get", "service", "web", "-o", "yaml")
	says(t, out, "port: 99", "192.0.2.1]")
}
