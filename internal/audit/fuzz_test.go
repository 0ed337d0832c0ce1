package audit

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func FuzzReadLine(f *testing.F) {
	line, _, err := writeLine(&Line{Seq: 1, Prev: hash{}.String(), Entry: Entry{Action: "put"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line)
	f.Add([]byte(`{"seq":1}`))
	f.Add([]byte(`{"seq":18446744073709551615,"prev":""}{}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := ReadLine(text)
		if err != nil {
			return
		}
		again, _, err := writeLine(&l)
		if err != nil {
			t.Fatalf("a line that was read cannot be written: %v", err)
		}
		if _, err := ReadLine(bytes.TrimSuffix(again, []byte("\n"))); err != nil {
			t.Fatalf("a line that was written cannot be read: %v", err)
		}
	})
}

func FuzzFile(f *testing.F) {
	line, _, err := writeLine(&Line{Seq: 1, Prev: hash{}.String(), Entry: Entry{Action: "put"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line)
	f.Add(append(bytes.Clone(line), line[:20]...))
	f.Add([]byte("\n\n\x00\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		// Lines read backwards are those read forwards.
		var backward [][]byte
		if whole := text[:bytes.LastIndexByte(text, '\n')+1]; len(whole) > 0 {
			b := newBackwards(bytes.NewReader(whole), int64(len(whole)))
			for {
				l, at, err := b.line()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(whole[at:at+int64(len(l))], l) {
					t.Fatalf("line at %d is not %q", at, l)
				}
				backward = append([][]byte{bytes.Clone(l)}, backward...)
			}
			forward := bytes.Split(bytes.TrimSuffix(whole, []byte("\n")), []byte("\n"))
			if len(forward) != len(backward) {
				t.Fatalf("%d lines backwards, %d forwards", len(backward), len(forward))
			}
		}
		path := filepath.Join(t.TempDir(), "audit.jsonl")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := Open(Options{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Append(t.Context(), Entry{Action: "put"}); err == nil {
			if _, err := l.List(t.Context(), Filter{}); err != nil {
				t.Error(err)
			}
		}
		if _, err := Verify([]string{path}, ""); err != nil {
			t.Error(err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}
