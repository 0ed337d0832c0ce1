package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCookieSecrets(t *testing.T) {
	const a, b = "e5e973e5a6b2a43f48e7dc849e37bfcf", "DD3BDF9344B678B185A6F5CB60FCA715"
	tests := []struct {
		name, text string
		want       int
		wrong      string // part of the error
	}{
		{"one", a, 1, ""},
		{"two, comments, empty lines, spaces", "# active\n\n " + a + " \r\n# next\n" + b + "\n", 2, ""},
		{"nothing", "", 0, "no secret"},
		{"comments only", "# later\n", 0, "no secret"},
		{"too short", a[2:], 0, "line 1 is not 32"},
		{"too long", "\n" + a + "00", 0, "line 2 is not 32"},
		{"not hexadecimal", strings.Repeat("g", 32), 0, "line 1 is not 32"},
		{"three", a + "\n" + b + "\n" + a, 0, "line 3 is one secret too many"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "secret")
			if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := CookieSecrets(path)
			switch {
			case test.wrong == "" && err != nil, test.wrong != "" && (err == nil || !strings.Contains(err.Error(), test.wrong)):
				t.Fatalf("got error %v, want one with %q", err, test.wrong)
			case len(got) != test.want:
				t.Errorf("got %d secrets, want %d", len(got), test.want)
			case err != nil && strings.Contains(err.Error(), a[:8]):
				t.Errorf("the error shows the secret: %v", err)
			}
		})
	}
	if _, err := CookieSecrets(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("no file: no error")
	}
}

// TestCookieSecretMode: secrets that everyone may read are warned of.
func TestCookieSecretMode(t *testing.T) {
	path := writeNode(t, strings.Replace(goodNode, "dns: {", "dns: {cookie_secret_file: secret, ", 1), 0o600)
	if text, err := os.ReadFile(path); err != nil || !strings.Contains(string(text), "cookie_secret_file") {
		t.Fatalf("the node file does not name the secret (%v):\n%s", err, text)
	}
	secret := filepath.Join(filepath.Dir(path), "secret")
	if err := os.WriteFile(secret, []byte("e5e973e5a6b2a43f48e7dc849e37bfcf"), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[os.FileMode]int{0o600: 0, 0o640: 0, 0o644: 1} {
		if err := os.Chmod(secret, mode); err != nil {
			t.Fatal(err)
		}
		report, err := CheckFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(rendered(t, report), "may open the cookie secrets"); got != want {
			t.Errorf("mode %o: %d warnings, want %d:\n%s", mode, got, want, rendered(t, report))
		}
	}
}
