package config

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzParseJSON compares what is taken for JSON with what the standard library takes.
func FuzzParseJSON(f *testing.F) {
	for _, text := range []string{`{"a":[1,-0.5e+7,true,null,"x\u00e9\n"]}`, `[]`, ` 7 `, `"\ud83d\ude00"`, `{"a":{}}x`, `[1,]`, `01`, `"\x"`, "\"\x01\""} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		n, err := parseJSON(text, MaxObjectDepth)
		if err == nil && !json.Valid(text) {
			t.Fatalf("%q was taken as %s", text, appendTree(nil, n, nil))
		}
		surrogate := bytes.Contains(bytes.ToLower(text), []byte(`\ud`))
		if err != nil && json.Valid(text) && utf8.Valid(text) && !surrogate && !strings.Contains(err.Error(), "deeper") {
			t.Fatalf("%q was refused: %v", text, err)
		}
		if err != nil {
			return
		}
		again, err := parseJSON(appendTree(nil, n, nil), MaxObjectDepth)
		if err != nil || !bytes.Equal(appendTree(nil, again, nil), appendTree(nil, n, nil)) {
			t.Fatalf("%q came back as %s: %v", text, appendTree(nil, again, nil), err)
		}
	})
}

func TestParseJSONDepth(t *testing.T) {
	for _, c := range []struct {
		depth int
		good  bool
	}{{MaxObjectDepth, true}, {MaxObjectDepth + 1, false}, {1_000_000, false}} {
		if _, err := parseJSON([]byte(strings.Repeat("[", c.depth)+strings.Repeat("]", c.depth)), MaxObjectDepth); (err == nil) != c.good {
			t.Errorf("%d levels: %v", c.depth, err)
		}
	}
}
