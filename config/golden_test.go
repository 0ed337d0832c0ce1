package config

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// brokenFiles returns the broken documents and node files. Their names in problems are those inside the directory, so the
// test moves there.
func brokenFiles(t *testing.T) []string {
	t.Helper()
	t.Chdir(filepath.Join("testdata", "broken"))
	files, err := filepath.Glob("*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no broken files: %v", err)
	}
	return files
}

func rendered(t *testing.T, r *Report) string {
	t.Helper()
	var b strings.Builder
	if err := r.Render(&b, false); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", file, d)
	}
}

func TestBrokenFiles(t *testing.T) {
	for _, file := range brokenFiles(t) {
		t.Run(file, func(t *testing.T) {
			report, err := CheckFile(file)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".golden", rendered(t, report))
		})
	}
}

// TestEveryCodeIsShown holds the golden files complete: a code that no file provokes is a code nobody has seen.
func TestEveryCodeIsShown(t *testing.T) {
	elsewhere := map[Code]string{
		codeTooLarge:             "TestTooLarge",
		codeNotUTF8:              "TestNotUTF8",
		codeTooMany:              "TestTooManyMembers",
		codeTooManyRecords:       "a million records; not worth its time",
		codeWarnKeyMode:          "TestNodeIdentityFiles",
		codeWarnCertificateDates: "TestNodeIdentityFiles",
		codeInertKey:             "TestLenient",
		codeInertReference:       "TestLenient",
		codeInertPart:            "TestLenient",
		codeInertObject:          "TestLenient",
		codeInertMembers:         "TestLenient",
		codeInertView:            "TestLenient",
	}
	shown := map[Code]bool{}
	brokenFiles(t)
	files, err := filepath.Glob("*.golden")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\[(FL\d{4})\]`).FindAllStringSubmatch(string(text), -1) {
			shown[Code(m[1])] = true
		}
	}
	for _, c := range Codes() {
		if !shown[c.Code] && elsewhere[c.Code] == "" {
			t.Errorf("no golden file shows %s (%s)", c.Code, c.Text)
		}
	}
}

func TestCodesAreListed(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Problems in configuration files\n\n" +
		"Every problem that `fairlead check` reports has a code. Codes are stable: scripts may match them. FL9xxx are warnings,\n" +
		"all others are errors, and a file with errors is refused as a whole.\n\n| code | meaning |\n|---|---|\n")
	for i, c := range Codes() {
		if i > 0 && c.Code <= Codes()[i-1].Code {
			t.Errorf("%s does not follow %s", c.Code, Codes()[i-1].Code)
		}
		b.WriteString("| " + string(c.Code) + " | " + c.Text + " |\n")
	}
	golden(t, filepath.Join("..", "docs", "errors.md"), b.String())
	src, err := os.ReadFile("codes.go")
	if err != nil {
		t.Fatal(err)
	}
	constants := regexp.MustCompile(`Code = "(FL\d{4})"`).FindAllStringSubmatch(string(src), -1)
	if got, want := len(constants), len(Codes()); got != want {
		t.Errorf("%d code constants, %d listed", got, want)
	}
}
