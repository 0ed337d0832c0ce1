package node_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fairlead/api/resource"
	"fairlead/internal/access"
)

// TestChangesOnTheMachineAreAudited: a token that is put into the file by hand, and a followed file that has changed, are in the audit log with the user
// of the machine.
func TestChangesOnTheMachineAreAudited(t *testing.T) {
	p := newPlace(t, true)
	p.write(document("192.0.2.1"))
	p.config.API.TokensFile = filepath.Join(filepath.Dir(p.file), "tokens.json")
	if _, _, err := access.Create(p.config.API.TokensFile, access.TokenSpec{Name: "root", Role: access.Admin}, time.Now()); err != nil {
		t.Fatal(err)
	}
	n, _ := p.serve(nil)
	eventually(t, n, "www.example.test", "192.0.2.1")
	if _, _, err := access.Create(p.config.API.TokensFile, access.TokenSpec{Name: "byhand", Role: access.Operator, CreatedBy: "kim"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := access.Revoke(p.config.API.TokensFile, "root"); err != nil {
		t.Fatal(err)
	}
	secret, _, err := access.Create(p.config.API.TokensFile, access.TokenSpec{Name: "root2", Role: access.Admin}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	p.write(document("192.0.2.2"))
	if err := n.Reload(); err != nil {
		t.Fatal(err)
	}
	var page resource.AuditPage
	if err := json.Unmarshal([]byte(askedAs(t, n.APIAddr().String(), "/v1/audit", secret)), &page); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range page.Entries {
		all = append(all, fmt.Sprintln(e.Who.Kind, e.Who.Name, e.Action, e.Object, e.Outcome, e.After != ""))
	}
	got := strings.Join(all, "")
	for _, want := range []string{"local kim token-create token/byhand done", "token-revoke token/root done", "follow document done true"} {
		if !strings.Contains(got, want) {
			t.Errorf("the audit log lacks %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "local  ") {
		t.Errorf("there is a change of nobody:\n%s", got)
	}
}

// TestChangesWhileNoNodeRunsAreAudited: the followed file that the first start begins with, tokens that came and went, and a followed file that changed, before a start are in the log of that start, once.
func TestChangesWhileNoNodeRunsAreAudited(t *testing.T) {
	p := newPlace(t, true)
	p.write(document("192.0.2.1"))
	p.config.API.TokensFile = filepath.Join(filepath.Dir(p.file), "tokens.json")
	make := func(name string) string {
		secret, _, err := access.Create(p.config.API.TokensFile, access.TokenSpec{Name: name, Role: access.Admin, CreatedBy: "kim"}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return secret
	}
	secret := make("root")
	make("gone")
	n, stop := p.serve(nil)
	eventually(t, n, "www.example.test", "192.0.2.1")
	stop()
	if _, err := access.Revoke(p.config.API.TokensFile, "gone"); err != nil {
		t.Fatal(err)
	}
	make("new")
	p.write(document("192.0.2.2"))
	_, stop = p.serve(nil)
	stop()
	n, _ = p.serve(nil)
	var page resource.AuditPage
	if err := json.Unmarshal([]byte(askedAs(t, n.APIAddr().String(), "/v1/audit", secret)), &page); err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, e := range page.Entries {
		what := e.Action + " " + e.Object
		if e.Action == "follow" && e.Before == "" {
			what = "begin with the file"
		}
		count[what]++
		want := map[string]string{"follow document": "192.0.2.2", "begin with the file": "192.0.2.1"}[what]
		if !strings.Contains(e.Diff, want) || e.Action == "follow" && e.After == "" {
			t.Errorf("%s: %+v", what, e)
		}
	}
	for _, want := range []string{"token-create token/root", "token-create token/gone", "token-revoke token/gone", "token-create token/new", "follow document", "begin with the file"} {
		if count[want] != 1 {
			t.Errorf("%s is there %d times: %v", want, count[want], count)
		}
	}
}
