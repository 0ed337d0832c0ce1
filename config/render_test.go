package config

import (
	"strings"
	"testing"
)

func TestRenderExactly(t *testing.T) {
	_, report := parseText(strings.Repeat("\n", 34) + small + "    method: leastconn\n    max_answers: 99\n")
	want := `doc.yaml:42:13: error: unknown method "leastconn" [FL1203]
   42 |     method: leastconn
      |             ^^^^^^^^^ did you mean "least-connection"?
doc.yaml:43:18: error: 99 is out of range: 1 to 16 [FL1403]
   43 |     max_answers: 99
      |                  ^^
2 errors
`
	if got := rendered(t, report); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestExcerpt(t *testing.T) {
	long := strings.Repeat("x", 300) + "HERE" + strings.Repeat("y", 300)
	tests := []struct {
		name, line    string
		column, width int
		want, marked  string
	}{
		{"tabs", "\tkey:\tvalue", 7, 5, "    key:    value", "value"},
		{"several bytes a character", "naïve: wörd", 8, 4, "naïve: wörd", "wörd"},
		{"clipped on both sides", long, 301, 4, "…" + strings.Repeat("x", 40) + "HERE" + strings.Repeat("y", 66) + "…", "HERE"},
		{"escape sequences", "a: \x1b[31mred", 4, 1, "a: �[31mred", "�"},
		{"past the end", "a:", 3, 1, "a:", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text, start, width := excerpt(tt.line, tt.column, tt.width)
			if text != tt.want {
				t.Errorf("text: got %q, want %q", text, tt.want)
			}
			runes := []rune(text)
			if got := string(runes[min(start, len(runes)):min(start+width, len(runes))]); got != tt.marked {
				t.Errorf("marked: got %q, want %q", got, tt.marked)
			}
		})
	}
}

func TestColorIsOnlyColor(t *testing.T) {
	_, report := parseText(small + "    method: leastconn\n")
	var b strings.Builder
	if err := report.Render(&b, true); err != nil {
		t.Fatal(err)
	}
	plain := b.String()
	if !strings.Contains(plain, colorError) {
		t.Error("no colour")
	}
	for _, code := range []string{colorReset, colorBold, colorError, colorWarn, colorHint} {
		plain = strings.ReplaceAll(plain, code, "")
	}
	if want := rendered(t, report); plain != want {
		t.Errorf("got:\n%s\nwant:\n%s", plain, want)
	}
}

func TestNearest(t *testing.T) {
	known := []string{"least-connection", "least-bandwidth", "round-robin", "rtt", "web-ams", "web-nyc"}
	tests := map[string]string{"leastconn": "least-connection", "ROUNDROBIN": "round-robin", "web-amsterdam": "", "web-asm": "web-ams",
		"rrt": "rtt", "x": "", "": "", "banana": ""}
	for word, want := range tests {
		if got := nearest(word, known); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}

func TestProblemInOneLine(t *testing.T) {
	problem := Problem{File: "gslb.yaml", Line: 3, Column: 7, Path: "/sites/0/name", Severity: SeverityError, Code: "FL1001", Message: "no"}
	for _, tt := range []struct {
		change func(*Problem)
		want   string
	}{
		{func(*Problem) {}, "gslb.yaml:3:7: error: no [FL1001]"},
		{func(p *Problem) { p.Line = 0 }, "gslb.yaml, /sites/0/name: error: no [FL1001]"},
		{func(p *Problem) { p.Line, p.Object, p.ObjectPath = 0, "site/ams", "/name" }, "gslb.yaml, site/ams/name: error: no [FL1001]"},
		{func(p *Problem) { p.Line, p.Path = 0, "" }, "gslb.yaml: error: no [FL1001]"},
	} {
		p := problem
		tt.change(&p)
		if got := p.String(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}
