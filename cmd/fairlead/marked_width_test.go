package main

import (
	"bytes"
	"testing"

	"fairlead/config"
)

// TestMarkedWidth marks the same characters in what was sent as fairlead check does, which sees the tree.
func TestMarkedWidth(t *testing.T) {
	for _, tt := range []struct {
		name, text   string
		line, column int
		want         int
	}{
		{"a word", "a:\n  method: leastconn\n", 2, 11, 9},
		{"a comment after it", "method: leastconn # no\n", 1, 9, 9},
		{"a key", "methode: x\n", 1, 1, 7},
		{"words", "comment: one two\n", 1, 10, 7},
		{"in a list", "a: [one two, three]\n", 1, 5, 7},
		{"in a list, an address", "a: [fe80::1, 2001:db8::2]\n", 1, 14, 11},
		{"in quotes", `a: "b \" c" # d` + "\n", 1, 4, 8},
		{"in single quotes", "a: ['b, c', d]\n", 1, 5, 6},
		{"a list", "a: [b]\n", 1, 4, 1},
		{"a windows line", "a: bc\r\n", 1, 4, 2},
		{"other letters", "a: zürich\n", 1, 4, 6},
		{"no such line", "a: b\n", 4, 1, 0},
		{"no such column", "a: b\n", 1, 40, 0},
		{"nowhere", "a: b\n", 0, 0, 0},
	} {
		if got := markedWidth([]byte(tt.text), tt.line, tt.column); got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
	}
	for text, want := range map[string]int{"a 60 A 1.2.3\n": 5, "a 60 A \"x y\" z\n": 5, "a 60 A 1 ; c\n": 1, "a 60 A\n": 0} {
		if got := writtenWidth([]byte(text), 1, 8); got != want {
			t.Errorf("%q: got %d, want %d", text, got, want)
		}
	}
	text := []byte("zones: [{name: example.test, nameservers: [ns.example.net]}]\nsites: [{name: here, address: 127.0.0.1}]\nvirtual_servers:\n  - {name: www, method: leastconn, members: [{service: nobody}]}\n    # c\nnonsense: {a: 1}\n")
	_, report := config.Parse(config.Source{Name: "a.yaml", Text: text})
	if report.Errors() < 3 {
		t.Fatalf("%d errors, want some", report.Errors())
	}
	for _, p := range report.Problems() {
		if got := markedWidth(text, p.Line, p.Column); got != p.Width {
			t.Errorf("%v: got %d, want %d", p, got, p.Width)
		}
	}
}

func FuzzMarkedWidth(f *testing.F) {
	f.Add([]byte("a: b\n"), 1, 4)
	f.Add([]byte(`a: "b`), 1, 4)
	f.Fuzz(func(t *testing.T, text []byte, line, column int) {
		got := markedWidth(text, line, column)
		if longest := len([]rune(string(text))); got < 0 || got > longest || got > 0 && bytes.Count(text, []byte("\n"))+1 < line {
			t.Errorf("got %d characters of %d", got, longest)
		}
	})
}
