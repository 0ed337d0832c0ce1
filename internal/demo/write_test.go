package demo

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fairlead/config"
	"fairlead/mep"
)

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "sites")
	written, err := Write(dir)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(written)
	if !slices.Equal(written, found) {
		t.Errorf("it says that it wrote %v, and there is %v", written, found)
	}

	for _, name := range []string{"gslb.yaml", "node-ams.yaml", "node-nyc.yaml"} {
		report, err := config.CheckFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range report.Problems() {
			t.Errorf("%s: got %s, want no problem", name, p)
		}
	}
	for _, site := range []string{"ams", "nyc"} {
		node, _, err := config.LoadNode(filepath.Join(dir, "node-"+site+".yaml"))
		if err != nil || node == nil {
			t.Fatalf("load node file of %s: %v", site, err)
		}
		identity, err := mep.LoadIdentity(node.MEP.TLS.Cert, node.MEP.TLS.Key, node.MEP.TLS.CA)
		if err != nil {
			t.Fatal(err)
		}
		if got := identity.Site(); got != site {
			t.Errorf("certificate of %s names site %q", site, got)
		}
		if info, err := os.Stat(node.MEP.TLS.Key); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("key of %s: mode %v, error %v; want 0600", site, info.Mode(), err)
		}
	}
}

func TestWriteOverwritesNothing(t *testing.T) {
	for _, name := range []string{"gslb.yaml", "node-nyc.yaml", "fairlead.service", "README.md", "pki"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
				t.Fatal(err)
			}
			written, err := Write(dir)
			if err == nil || !strings.Contains(err.Error(), name) || len(written) > 0 {
				t.Errorf("got %v and error %v, want nothing written and an error that names %s", written, err, name)
			}
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			if text, _ := os.ReadFile(path); string(text) != "mine" || len(entries) != 1 {
				t.Errorf("the directory was touched: %v, %q", entries, text)
			}
		})
	}
}

func TestWriteNowhere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if written, err := Write(filepath.Join(file, "below")); err == nil || len(written) > 0 {
		t.Errorf("got %v and error %v, want an error", written, err)
	}
}

// TestUnitFitsTheFiles holds what the unit, the node files and the README say of the same things together.
func TestUnitFitsTheFiles(t *testing.T) {
	text := map[string]string{}
	files, err := setupFiles()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text[f.name] = string(f.text)
	}
	for _, want := range []struct{ file, part string }{
		{"fairlead.service", "User=fairlead\n"},
		{"fairlead.service", "AmbientCapabilities=CAP_NET_BIND_SERVICE\n"},
		{"fairlead.service", "NoNewPrivileges=yes\n"},
		{"fairlead.service", "ProtectSystem=strict\n"},
		{"fairlead.service", "Restart=always\n"},
		{"fairlead.service", "Type=simple\n"},
		{"fairlead.service", "ExecReload=/bin/kill -HUP $MAINPID\n"},
		{"fairlead.service", "StateDirectory=fairlead\n"},
		{"fairlead.service", "serve -f /etc/fairlead/node.yaml\n"},
		{"node-ams.yaml", "data_dir: /var/lib/fairlead "},
		{"node-ams.yaml", "follow: gslb.yaml "},
		{"README.md", "/etc/fairlead/node.yaml"},
		{"README.md", "gslb      3600 IN NS ns1.gslb.example.com."},
	} {
		if !strings.Contains(text[want.file], want.part) {
			t.Errorf("%s lacks %q", want.file, want.part)
		}
	}
}
