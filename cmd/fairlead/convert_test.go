package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestConvertExitCodes: 0 for everything, 3 for a document with something left out, 1 for nothing, 2 for files.
func TestConvertExitCodes(t *testing.T) {
	directory := t.TempDir()
	const good = "add gslb site a 192.0.2.1\nadd dns soaRec example.com -originServer ns1.example.net\n"
	for name, text := range map[string]string{
		"good.conf": good, "left.conf": good + "add gslb widget x\n", "invalid.conf": "add gslb site a nowhere\n", "none.conf": "hello\n",
		"other.conf": "add ns ip 192.0.2.1 255.255.255.0\n", "zone": "@ 60 SOA ns.example.net. hostmaster 7 3600 600 604800 300\n@ 60 NS ns.example.net.\n", "named.conf": "zone {",
	} {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		args string
		want int
	}{
		{"netscaler good.conf", exitDone},
		{"netscaler left.conf", exitLeft},
		{"netscaler invalid.conf", exitLeft},
		{"netscaler none.conf", exitFailed},
		{"netscaler other.conf", exitFailed},
		{"netscaler missing.conf", exitUsage},
		{"netscaler", exitUsage},
		{"netscaler good.conf -o zone", exitUsage},
		{"netscaler good.conf -o none/out.yaml", exitUsage},
		{"bind-zone zone --zone example.com", exitDone},
		{"bind-zone zone", exitFailed},
		{"bind-zone missing", exitUsage},
		{"bind-zone", exitUsage},
		{"bind-zone --named-conf named.conf", exitFailed},
		{"nonsense", exitUsage},
	} {
		t.Run(test.args, func(t *testing.T) {
			args := []string{"convert"}
			for word := range strings.FieldsSeq(test.args) {
				if _, err := os.Stat(filepath.Join(directory, word)); err == nil || strings.HasPrefix(word, "missing") || strings.Contains(word, "/") {
					word = filepath.Join(directory, word)
				}
				args = append(args, word)
			}
			var stdout, stderr bytes.Buffer
			if got := run(t.Context(), args, &stdout, &stderr); got != test.want {
				t.Errorf("got exit code %d, want %d\n%s%s", got, test.want, stdout.String(), stderr.String())
			}
		})
	}
	if text, err := os.ReadFile(filepath.Join(directory, "zone")); err != nil || !strings.HasPrefix(string(text), "@") {
		t.Errorf("the file that was there is %q, %v", text, err)
	}
}
