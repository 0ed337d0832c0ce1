package source

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"fairlead/monitors/metric"
)

func TestJSONNumber(t *testing.T) {
	const page = `{"load": {"active": 12, "mean": 7.5, "text": " 34 ", "none": null, "yes": true, "word": "many"},
		"pools": [{"name": "a", "active": 1}, {"name": "b", "active": 2}], "0": {"x": 5}, "grid": [[1, 2], [3, 4]],
		"neg": -1, "zero": -0, "big": 9007199254740992, "bigger": 9007199254740994, "huge": 1e400, "inf": "Inf",
		"hex": "0x10", "empty": "", "exp": 1.2e3, "twice": 1, "twice": 2}`
	tests := []struct {
		name, document, path string
		want                 uint64
		err                  string // a part of the error
	}{
		{"plain number", "42", "", 42, ""},
		{"plain number with space", " 42\n", "", 42, ""},
		{"plain string", `"42"`, "", 42, ""},
		{"nested", page, "load.active", 12, ""},
		{"rounded", page, "load.mean", 8, ""},
		{"string", page, "load.text", 34, ""},
		{"exponent", page, "exp", 1200, ""},
		{"negative zero", page, "zero", 0, ""},
		{"most", page, "big", metric.MaxActive, ""},
		{"index as step", page, "pools.1.active", 2, ""},
		{"index in brackets", page, "pools[1].active", 2, ""},
		{"index of index", page, "grid[1][0]", 3, ""},
		{"index of index, mixed", page, "grid.1[1]", 4, ""},
		{"index first", "[[7]]", "[0][0]", 7, ""},
		{"numeric key", page, "0.x", 5, ""},
		{"first of two keys", page, "twice", 1, ""},

		{"no key", page, "load.activ", 0, `path "load.activ": "load" has no key "activ"`},
		{"no key at the top", page, "active", 0, `path "active": the answer has no key "active"`},
		{"no element", page, "pools[2].active", 0, `path "pools[2].active": "pools" has 2 elements, no [2]`},
		{"object, not array", page, "load[0]", 0, `"load" is an object, not an array`},
		{"array, not object", page, "pools.active", 0, `"pools" is an array, want an index instead of "active"`},
		{"plain value, not object", page, "load.active.x", 0, `"load.active" is a plain value, it has no "x"`},
		{"ends at an object", page, "pools[0]", 0, `"pools[0]" is an object, not a number`},
		{"ends at an array", page, "grid", 0, `"grid" is an array, not a number`},
		{"null", page, "load.none", 0, `"load.none" is <nil>, not a number`},
		{"bool", page, "load.yes", 0, `"load.yes" is true, not a number`},
		{"word", page, "load.word", 0, `"many" is not a number`},
		{"negative", page, "neg", 0, `"-1" is not between 0 and 2^53`},
		{"above the most", page, "bigger", 0, `"9007199254740994" is not between`},
		{"above all floats", page, "huge", 0, `"1e400" is not a number`},
		{"infinity", page, "inf", 0, `"Inf" is not a number`},
		{"hexadecimal", page, "hex", 0, `"0x10" is not a number`},
		{"empty string", page, "empty", 0, `"" is not a number`},

		{"not JSON", "<html>", "", 0, "not valid JSON: invalid character '<'"},
		{"nothing", "", "", 0, "not valid JSON: it ends early, at byte 0"},
		{"cut off", `{"a": {"b": 1`, "a.b", 0, "not valid JSON: it ends early"},
		{"cut off after the value", `{"a": 1, "b"`, "a", 0, "not valid JSON: it ends early"},
		{"rubbish after the value", `{"a": 1} x`, "a", 0, "not valid JSON: more data after the value"},
		{"two values", `1 2`, "", 0, "not valid JSON: more data after the value"},
		{"comma at the end", `[1,]`, "[0]", 0, "not valid JSON: invalid character ']'"},
		{"too deep", strings.Repeat("[", 100_000), "", 0, "nested more than 64 deep at byte 65"},
		{"deep beside the path", `{"x": ` + strings.Repeat(`{"a":`, 70) + "1" + strings.Repeat("}", 70) + `, "y": 1}`, "y", 0,
			"nested more than 64 deep"},

		{"empty step", "{}", "a..b", 0, "has an empty step"},
		{"dot at the end", "{}", "a.", 0, "has an empty step"},
		{"open bracket", "{}", "a[1", 0, "want a number between brackets"},
		{"word in brackets", "{}", "a[x]", 0, "want a number between brackets"},
		{"negative index", "{}", "a[-1]", 0, "want a number between brackets"},
		{"no dot after bracket", "{}", "a[1]b", 0, "want a dot after a bracket"},
		{"no dot between brackets", "{}", "a[1]b[2]", 0, "want a dot after a bracket"},
		{"long path", "{}", strings.Repeat("a.", 64) + "a", 0, "has more than 64 steps"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := oneNumber([]byte(tt.document), tt.path)
			switch {
			case tt.err == "" && err != nil:
				t.Errorf("error %v, want %d", err, tt.want)
			case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
				t.Errorf("got %d, error %v, want an error with %q", got, err, tt.err)
			case got != tt.want:
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

// oneNumber reads the number at one path, rounded.
func oneNumber(document []byte, path string) (uint64, error) {
	numbers, err := jsonNumbers(bytes.NewReader(document), []string{path})
	if err != nil {
		return 0, err
	}
	return uint64(math.Round(numbers[0].value)), numbers[0].err
}

func TestJSONNumbers(t *testing.T) {
	const page = `{"load": {"active": 12, "pools": [{"n": 1.5}, {"n": "2"}]}, "x": {"a": true}, "active": 7}`
	paths := []string{"load.active", "active", "load.pools[1].n", "load.pools.0.n", "load.active", "x.a", "load.none", "load.pools[2].n", "load"}
	numbers, err := jsonNumbers(strings.NewReader(page), paths)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"12", "7", "2", "1.5", "12", `path "x.a": "x.a" is true, not a number`, `path "load.none": "load" has no key "none"`,
		`path "load.pools[2].n": "load.pools" has 2 elements, no [2]`, `path "load": "load" is an object, not a number`}
	for i, n := range numbers {
		got := fmt.Sprint(n.value)
		if n.err != nil {
			got = n.err.Error()
		}
		if got != want[i] {
			t.Errorf("%s: got %s, want %s", paths[i], got, want[i])
		}
	}
	if _, err := jsonNumbers(strings.NewReader("1"), make([]string, maxPaths+1)); err == nil {
		t.Error("more paths than bits were taken")
	}
	if numbers, err := jsonNumbers(strings.NewReader("1"), make([]string, maxPaths)); err != nil || numbers[maxPaths-1].value != 1 {
		t.Errorf("%d paths: %v, %v", maxPaths, numbers, err)
	}
}

// FuzzJSONNumbers: several paths at once lead to what each leads to alone.
func FuzzJSONNumbers(f *testing.F) {
	f.Add([]byte(`{"a": [1, {"b": "2.5"}], "b": 1}`), "a[1].b", "b")
	f.Add([]byte(`[[[1]], 2]`), "0.0[0]", "1")
	f.Add([]byte(`{"a": {"a": 1}, "a": 2}`), "a", "a.a")
	f.Fuzz(func(t *testing.T, document []byte, first, second string) {
		both, err := jsonNumbers(bytes.NewReader(document), []string{first, second})
		for i, path := range []string{first, second} {
			alone, errAlone := jsonNumbers(bytes.NewReader(document), []string{path})
			if err != nil {
				continue // one of the two says so too, if it is not the document
			}
			if errAlone != nil || alone[0].value != both[i].value || fmt.Sprint(alone[0].err) != fmt.Sprint(both[i].err) {
				t.Errorf("%q at %q: alone %v %v, with another %v", document, path, alone, errAlone, both[i])
			}
		}
	})
}

func FuzzJSONNumber(f *testing.F) {
	f.Add([]byte(`{"a": [1, {"b": "2.5"}]}`), "a[1].b")
	f.Add([]byte(`[[[1]]]`), "0.0[0]")
	f.Add([]byte(`{"a": 1,}`), "a")
	f.Add([]byte(`1e309`), "")
	f.Fuzz(func(t *testing.T, document []byte, path string) {
		n, err := oneNumber(document, path)
		if err != nil {
			return
		}
		if n > metric.MaxActive {
			t.Errorf("%d is above the limit", n)
		}
		if !json.Valid(document) {
			t.Errorf("%q was read as %d but is not JSON", document, n)
		}
	})
}

// FuzzJSONPath compares with a walk through the decoded document.
func FuzzJSONPath(f *testing.F) {
	f.Add([]byte(`{"a": [1, {"b": 7}]}`), "a.1.b")
	f.Add([]byte(`{"0": [1, 2]}`), "0[1]")
	f.Fuzz(func(t *testing.T, document []byte, path string) {
		var all any
		if json.Unmarshal(document, &all) != nil || hasTwice(document) {
			return
		}
		segments, err := parsePath(path)
		if err != nil {
			return
		}
		want, found := lookUp(all, segments)
		if got, err := oneNumber(document, path); err == nil && (!found || float64(got) > want+0.5 || float64(got) < want-0.5) {
			t.Errorf("%q at %q: got %d, want %v %v", document, path, got, want, found)
		}
	})
}

func lookUp(v any, path []segment) (float64, bool) {
	if len(path) == 0 {
		switch v := v.(type) {
		case float64:
			return v, true
		case string:
			n, err := parseNumber(strings.TrimSpace(v))
			return math.Round(n), err == nil
		}
		return 0, false
	}
	switch v := v.(type) {
	case map[string]any:
		below, ok := v[path[0].name]
		if !ok || path[0].only {
			return 0, false
		}
		return lookUp(below, path[1:])
	case []any:
		if i := path[0].index; i >= 0 && i < len(v) {
			return lookUp(v[i], path[1:])
		}
	}
	return 0, false
}

// hasTwice says that keys may occur twice, where the two readers differ by intent.
func hasTwice(document []byte) bool {
	seen := make(map[string]bool)
	dec := json.NewDecoder(strings.NewReader(string(document)))
	for {
		token, err := dec.Token()
		if err != nil {
			return false
		}
		if s, ok := token.(string); ok {
			if seen[s] {
				return true
			}
			seen[s] = true
		}
	}
}
