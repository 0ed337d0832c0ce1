package store

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"fairlead/config/replica"
	"fairlead/config/revision"
)

// TestLook looks at stores in every condition and leaves the files as they were.
func TestLook(t *testing.T) {
	good := func(t *testing.T) (dir string) {
		dir = t.TempDir()
		s, err := Open(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	for _, tt := range []struct {
		name string
		make func(t *testing.T) string
		want Condition
	}{
		{"none", func(t *testing.T) string { return t.TempDir() }, Absent},
		{"good", good, Good},
		{"in use", func(t *testing.T) string {
			dir := t.TempDir()
			s, err := Open(dir, Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			return dir
		}, InUse},
		{"damaged", func(t *testing.T) string {
			dir := good(t)
			text, err := os.ReadFile(filepath.Join(dir, FileName))
			if err != nil {
				t.Fatal(err)
			}
			for n := 2 * pageBytes; n < len(text); n++ {
				text[n] ^= 0x55
			}
			if err := os.WriteFile(filepath.Join(dir, FileName), text, 0o600); err != nil {
				t.Fatal(err)
			}
			return dir
		}, Damaged},
		{"empty file", func(t *testing.T) string {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, FileName), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			return dir
		}, Damaged},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := tt.make(t)
			before, _ := os.ReadFile(filepath.Join(dir, FileName))
			names, _ := os.ReadDir(dir)
			got, err := Look(dir)
			if got != tt.want || (err == nil) != (got == Absent || got == Good) {
				t.Errorf("got %s, %v; want %s", got, err, tt.want)
			}
			after, _ := os.ReadFile(filepath.Join(dir, FileName))
			left, _ := os.ReadDir(dir)
			if string(before) != string(after) || len(left) != len(names) {
				t.Errorf("the directory was changed: %d files, then %d", len(names), len(left))
			}
		})
	}
}

// TestLookHoldsNobodyUp: a node that starts while its store is looked at opens it at once, and what was seen is of no account.
func TestLookHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		write bool
		leave bool // it is closed again before all was read
		want  Condition
	}{
		{"a node starts", false, false, InUse},
		{"a node starts, writes and ends", true, true, InUse},
		{"a node starts and ends", false, true, Good},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			s, err := Open(dir, Options{})
			if err == nil {
				err = s.Close()
			}
			if err != nil {
				t.Fatal(err)
			}
			var took time.Duration
			got, err := look(dir, func() {
				began := time.Now()
				s, err = Open(dir, Options{})
				if took = time.Since(began); err != nil {
					t.Fatalf("a node that starts meanwhile: %v", err)
				}
				if tt.write {
					if err := s.Commit(&replica.Record{State: revision.NewState(), Notes: map[string][]byte{"note": []byte("written")}}); err != nil {
						t.Error(err)
					}
				}
				if tt.leave {
					if err := s.Close(); err != nil {
						t.Error(err)
					}
				}
			})
			if got != tt.want || (err == nil) != (got == Good) {
				t.Errorf("got %s, %v; want %s", got, err, tt.want)
			}
			if took > openTimeout/2 {
				t.Errorf("it took %v to open it", took)
			}
			if !tt.leave {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
			if got, err := Look(dir); got != Good {
				t.Errorf("afterwards it is %s: %v", got, err)
			}
		})
	}
}
