package config

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func compiled(t *testing.T, name string, make func() ([]byte, error)) *jsonschema.Schema {
	t.Helper()
	text, err := make()
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(name, value); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// plainValue is a tree as JSON has it.
func plainValue(n *node) any {
	switch n.kind {
	case kindMapping:
		out := map[string]any{}
		for _, e := range n.entries {
			out[e.key.value] = plainValue(e.value)
		}
		return out
	case kindSequence:
		out := []any{}
		for _, item := range n.items {
			out = append(out, plainValue(item))
		}
		return out
	}
	switch n.scalar {
	case scalarNull:
		return nil
	case scalarBool:
		return n.value == "true"
	case scalarInteger, scalarFloat:
		if f, err := strconv.ParseFloat(n.value, 64); err == nil {
			return f
		}
	}
	return n.value
}

func TestSchemasAcceptWhatDecodes(t *testing.T) {
	document, node := compiled(t, "document.json", DocumentSchema), compiled(t, "node.json", NodeSchema)
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	examples, err := filepath.Glob("../examples/*/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	documents, nodes := 0, 0
	for _, file := range append(files, examples...) {
		text := read(t, file)
		root := parseYAML(newPage(file, text, new(Report)))
		if root == nil || (root.child("sites") == nil && root.child("data_dir") == nil) {
			continue // a file for another program
		}
		s := document
		if looksLikeNode(file, text) {
			s = node
			nodes++
		} else {
			documents++
		}
		if err := s.Validate(plainValue(root)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	if len(examples) == 0 || documents == 0 || nodes == 0 {
		t.Errorf("%d examples; %d documents and %d node files in all: some are not found", len(examples), documents, nodes)
	}
}

func TestSchemasRefuseBrokenFiles(t *testing.T) {
	document, node := compiled(t, "document.json", DocumentSchema), compiled(t, "node.json", NodeSchema)
	for _, name := range []string{"shape", "words", "values", "node-values"} {
		file := filepath.Join("testdata", "broken", name+".yaml")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s := document
		if strings.HasPrefix(name, "node") {
			s = node
		}
		if err := s.Validate(plainValue(parseYAML(newPage(file, text, new(Report))))); err == nil {
			t.Errorf("%s is accepted", file)
		}
	}
}

func TestSchemaSaysWhatTagsSay(t *testing.T) {
	text, err := DocumentSchema()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"LEASTCONNECTION"`, `"default": "least-connection"`, `"maximum": 16`, `"https://json-schema.org/draft/2020-12/schema"`,
		`"additionalProperties": false`, "Services to pick from."} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the schema lacks %s", want)
		}
	}
}
