package config

import (
	"strings"
	"testing"
)

func TestReportOfProblemsFoundElsewhere(t *testing.T) {
	r := NewReport("web.yaml", []byte("site: ams\naddresses:\n  - 192.0.2.300\n"), []Problem{
		{Path: "/addresses/0", Severity: SeverityError, Code: codeName, Message: "no address"},
		{Path: "/monitors/0", Severity: SeverityWarning, Code: codeName, Message: "not there"},
		{File: "service/other", Path: "/site", Severity: SeverityError, Code: codeName, Message: "elsewhere"},
	})
	var b strings.Builder
	if err := r.Render(&b, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"web.yaml:3:5: error: no address", "192.0.2.300", "web.yaml:1:1: warning: not there", "service/other: error: elsewhere", "2 errors, 1 warning"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("there is no %q in\n%s", want, b.String())
		}
	}
	if NewReport("x", []byte("a: ["), []Problem{{Path: "/a", Severity: SeverityError, Message: "m"}}).Errors() != 1 {
		t.Error("a text that is no YAML loses its problems")
	}
}
