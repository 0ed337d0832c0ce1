package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tree writes files and links below a new directory; a text that starts with -> is a link.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, link := strings.CutPrefix(text, "->"); link {
			err = os.Symlink(target, path)
		} else {
			err = os.WriteFile(path, []byte(text), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const includeApex = "$TTL 60\n@ SOA ns1.example.net. host.example.net. 1 2 3 4 5\n@ NS ns1.example.net.\n"

// What a zone file includes is part of the source, so that the source means the same without the files.
func TestIncludedFilesArePartOfTheSource(t *testing.T) {
	dir := tree(t, map[string]string{
		"conf/doc.yaml":          strings.Replace(small, "nameservers: [ns1.example.net]", "file: ../zones/x.zone", 1),
		"zones/x.zone":           includeApex + "$INCLUDE parts/hosts\n$INCLUDE linked\n",
		"zones/parts/hosts":      "a A 192.0.2.1\n$INCLUDE ./more/hosts deep",
		"zones/parts/more/hosts": "b A 192.0.2.2\n",
		"zones/linked":           "->parts/more/hosts",
	})
	src, err := ReadSource(filepath.Join(dir, "conf", "doc.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	doc, report := Parse(Source{Name: "elsewhere.yaml", Text: src.Text, Files: src.Files})
	if doc == nil {
		t.Fatal(report.Err())
	}
	got := strings.Join(zoneLines(t, &doc.Zones[0])[2:], "\n")
	want := "a.example.com. 60 IN A 192.0.2.1\nb.deep.example.com. 60 IN A 192.0.2.2\nb.example.com. 60 IN A 192.0.2.2"
	if got != want {
		t.Errorf("records:\n%s\nwant:\n%s", got, want)
	}
	if len(src.Files) != 4 {
		t.Errorf("%d files in the source, want 4", len(src.Files))
	}
	less := Source{Text: src.Text, Files: map[string][]byte{}}
	for name, text := range src.Files {
		if !strings.Contains(name, "more") {
			less.Files[name] = text
		}
	}
	if _, report := Parse(less); report.Errors() != 1 || report.Problems()[0].Code != codeIncludeFile {
		t.Errorf("without an included file: %v", report.Err())
	}
	if less.ID() == src.ID() {
		t.Error("an included file is not part of the id")
	}
}

// Nothing outside the zone file's directory is read, also not by way of links, and nothing that is no file.
func TestIncludesStayInTheirDirectory(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"upwards":           {"zones/x.zone": "$INCLUDE ../secret"},
		"upwards on a way":  {"zones/x.zone": "$INCLUDE a/../../secret", "zones/a/b": ""},
		"absolute":          {"zones/x.zone": "$INCLUDE /etc/hostname"},
		"link":              {"zones/x.zone": "$INCLUDE link", "zones/link": "->../secret"},
		"absolute link":     {"zones/x.zone": "$INCLUDE link", "zones/link": "->/etc/hostname"},
		"linked directory":  {"zones/x.zone": "$INCLUDE d/secret", "zones/d": "->.."},
		"from a part":       {"zones/x.zone": "$INCLUDE a/b", "zones/a/b": "$INCLUDE ../../secret"},
		"link beside parts": {"zones/x.zone": "$INCLUDE a/b", "zones/a/b": "$INCLUDE c", "zones/a/c": "->../../secret"},
		"directory":         {"zones/x.zone": "$INCLUDE a", "zones/a/b": ""},
	} {
		t.Run(name, func(t *testing.T) {
			files["secret"] = "precious 60 A 192.0.2.9\n"
			files["doc.yaml"] = strings.Replace(small, "nameservers: [ns1.example.net]", "file: zones/x.zone", 1)
			files["zones/x.zone"] = includeApex + files["zones/x.zone"] + "\n"
			src, err := ReadSource(filepath.Join(tree(t, files), "doc.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			for name, text := range src.Files {
				if strings.Contains(string(text), "precious") {
					t.Errorf("%s was read", name)
				}
			}
			doc, report := Parse(src)
			if doc != nil || report.Errors() != 1 {
				t.Fatalf("want one error, got %v", report.Err())
			}
			if code := report.Problems()[0].Code; code != codeIncludePath && code != codeIncludeFile {
				t.Errorf("got %v", report.Err())
			}
		})
	}
}

// Files that include each other are read once each.
func TestIncludedCircleIsReadOnce(t *testing.T) {
	dir := tree(t, map[string]string{
		"doc.yaml": strings.Replace(small, "nameservers: [ns1.example.net]", "file: x.zone", 1),
		"x.zone":   includeApex + "$INCLUDE a\n", "a": "$INCLUDE b\n$INCLUDE x.zone\n", "b": "$INCLUDE a\n",
	})
	src, err := ReadSource(filepath.Join(dir, "doc.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if _, report := Parse(src); len(src.Files) != 3 || report.Errors() != 2 || report.Problems()[0].Code != codeIncludeDepth {
		t.Errorf("%d files: %v", len(src.Files), report.Err())
	}
}
