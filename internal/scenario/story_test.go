package scenario

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"fairlead/config"
)

var verbose = flag.Bool("explain", false, "log the explanation of every answer")

// TestStories plays every story.
func TestStories(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			play(t, file)
		})
	}
}

// play tells one story from its first step to its last.
func play(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	archive := txtar.Parse(text)
	files := map[string]string{}
	for _, f := range archive.Files {
		files[f.Name] = string(f.Data)
	}
	if !strings.HasPrefix(string(archive.Comment), "Row: ") {
		t.Error(`the comment of a story begins with the row that it shows: "Row: …"`)
	}
	if files["document.yaml"] == "" || files["story"] == "" {
		t.Fatal("a story has the files document.yaml and story")
	}
	s := newStage(t, files)
	asked := false
	for i, line := range strings.Split(files["story"], "\n") {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		s.line, s.text = i+1, strings.TrimSpace(line)
		if err := s.step(words); err != nil {
			t.Fatalf("%s: story line %d: %s: %v", file, s.line, s.text, err)
		}
		asked = asked || words[0] == "ask" || words[0] == "state"
	}
	if !asked {
		t.Error("the story asks nothing")
	}
}

// TestEveryMethodHasAStory: a method that nobody shows may do anything.
func TestEveryMethodHasAStory(t *testing.T) {
	for _, m := range config.RoundRobin.Enum() {
		if files, _ := filepath.Glob(filepath.Join("testdata", "method-"+m+"*.txtar")); len(files) == 0 {
			t.Errorf("no story shows method %s", m)
		}
	}
}
