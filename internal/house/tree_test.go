package house

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"
)

// module is the module path, which every import of ours starts with.
const module = "fairlead"

// maxText is the size from which a file is data and not text that people wrote.
const maxText = 4 << 20

// tree is the repository: every file by its slash path from the root, and the Go files parsed.
type tree struct {
	text map[string][]byte
	gofs []goFile
	fset *token.FileSet
}

// goFile is one parsed Go file.
type goFile struct {
	path string
	ast  *ast.File
	test bool // its name ends in _test.go
}

// finding is one breach of a rule: where it is, what is wrong, and what to do.
type finding struct {
	path string
	line int
	what string
}

func (f finding) String() string { return fmt.Sprintf("%s:%d: %s", f.path, f.line, f.what) }

// rule looks at a tree and says what is wrong with it.
type rule func(*tree) []finding

// dir returns the package's directory, which is also its import path below the module.
func (f goFile) dir() string { return path.Dir(f.path) }

// external says whether the file is in a _test package, which stands outside the package it tests.
func (f goFile) external() bool { return f.test && strings.HasSuffix(f.ast.Name.Name, "_test") }

// generated says whether a tool wrote the file; such files have no size limits.
func (f goFile) generated() bool { return ast.IsGenerated(f.ast) }

// imported returns the name that the file uses for an import path; "" when it does not import it.
func (f goFile) imported(importPath string) string {
	for _, spec := range f.ast.Imports {
		if p, _ := strconv.Unquote(spec.Path.Value); p == importPath {
			if spec.Name != nil {
				return spec.Name.Name
			}
			return path.Base(importPath)
		}
	}
	return ""
}

// at makes a finding at a position.
func (t *tree) at(pos token.Pos, format string, args ...any) finding {
	p := t.fset.Position(pos)
	return finding{p.Filename, p.Line, fmt.Sprintf(format, args...)}
}

// span returns how many lines a node has.
func (t *tree) span(n ast.Node) int {
	return t.fset.Position(n.End()).Line - t.fset.Position(n.Pos()).Line + 1
}

// paths returns the paths of the text files with one of the suffixes, sorted.
func (t *tree) paths(suffixes ...string) []string {
	var found []string
	for p := range t.text {
		if slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(p, s) }) {
			found = append(found, p)
		}
	}
	slices.Sort(found)
	return found
}

// load reads a tree. Hidden directories other than .ci, nested modules' Go files and binary files are left out.
func load(fsys fs.FS) (*tree, error) {
	t := &tree{text: map[string][]byte{}, fset: token.NewFileSet()}
	err := fs.WalkDir(fsys, ".", func(p string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if strings.HasPrefix(entry.Name(), ".") && p != "." && p != ".ci" {
				return fs.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() || entry.Name() == ".git" { // the latter is a file in a work tree of its own
			return nil
		}
		info, err := entry.Info()
		if err != nil || info.Size() > maxText {
			return err
		}
		text, err := fs.ReadFile(fsys, p)
		if err == nil && !bytes.ContainsRune(text, 0) {
			t.text[p] = text
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return t, t.parse()
}

func (t *tree) parse() error {
	for _, p := range t.paths(".go") {
		if strings.Contains("/"+p, "/testdata/") || t.nested(path.Dir(p)) {
			continue
		}
		file, err := parser.ParseFile(t.fset, p, t.text[p], parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		t.gofs = append(t.gofs, goFile{path: p, ast: file, test: strings.HasSuffix(p, "_test.go")})
	}
	return nil
}

// nested says whether a directory belongs to a module of its own.
func (t *tree) nested(dir string) bool {
	for ; dir != "."; dir = path.Dir(dir) {
		if _, ok := t.text[dir+"/go.mod"]; ok {
			return true
		}
	}
	return false
}

var loadRepository = sync.OnceValues(func() (*tree, error) { return load(os.DirFS(root)) })

// root is the repository seen from this package's directory, where go test runs.
const root = "../.."

// repository returns the tree that these tests are part of.
func repository(t *testing.T) *tree {
	t.Helper()
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Fatal(err)
	}
	repo, err := loadRepository()
	if err != nil {
		t.Fatalf("read the repository: %v", err)
	}
	return repo
}

// hold fails the test with every breach of a rule in the repository.
func hold(t *testing.T, r rule) {
	t.Helper()
	for _, f := range r(repository(t)) {
		t.Error(f)
	}
}

// example is a small tree, as a txtar archive, with the starts of the findings that a rule must report for it.
type example struct {
	name  string
	files string
	want  []string
}

// catches checks that a rule finds what it is there to find, and nothing else.
func catches(t *testing.T, r rule, examples []example) {
	t.Helper()
	for _, e := range examples {
		t.Run(e.name, func(t *testing.T) {
			fsys := fstest.MapFS{}
			for _, f := range txtar.Parse([]byte(e.files)).Files {
				fsys[f.Name] = &fstest.MapFile{Data: f.Data}
			}
			small, err := load(fsys)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range r(small) {
				got = append(got, f.String())
			}
			if len(got) != len(e.want) {
				t.Fatalf("got %d findings %q, want %d", len(got), got, len(e.want))
			}
			for i, want := range e.want {
				if !strings.HasPrefix(got[i], want) {
					t.Errorf("finding %d: got %q, want it to start with %q", i, got[i], want)
				}
			}
		})
	}
}
