package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"fairlead/api/resource"
)

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.After(patience); !holds(); {
		select {
		case <-deadline:
			t.Fatalf("%s: not within %v", what, patience)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func TestWatchAndEvents(t *testing.T) {
	_, fairlead := writable(t)
	ctx, cancel := context.WithCancel(t.Context())
	var list, events, problems output
	codes := make(chan int, 2)
	go func() { codes <- run(ctx, []string{"get", "services", "-w"}, &list, &problems) }()
	go func() { codes <- run(ctx, []string{"events", "--type", "config", "--limit", "1"}, &events, &problems) }()
	eventually(t, "the list is there", func() bool { return strings.Contains(list.String(), "web ") })
	// It is not known when the stream of events has begun: write until it tells.
	port := 1000
	eventually(t, "an event is told", func() bool {
		port++
		fairlead(exitDone, "patch", "service/web", "-p", `{"port": `+string(rune('0'+port%10))+`1}`)
		return events.String() != ""
	})
	fairlead(exitDone, "delete", "service/shop")
	eventually(t, "the list tells of both", func() bool {
		return strings.Count(list.String(), "web ") > 1 && strings.Contains(list.String(), "- service/shop\n")
	})
	cancel()
	for range 2 {
		if code := <-codes; code != exitDone {
			t.Errorf("exit code %d, want %d: %s", code, exitDone, problems.String())
		}
	}
	says(t, events.String(), "config", "revision/")
}

func TestCompletion(t *testing.T) {
	_, fairlead := writable(t)
	for _, tt := range []struct {
		args string
		want string
	}{
		{"get vi", "virtual-servers\nviews\nview-order\n"},
		{"get services ", "shop\nweb\n"},
		{"get service w", "web\n"},
		{"get service/w", "service/web\n"},
		{"apply ser", "service/\nservice-group/\n"},
		{"delete service/s", "service/shop\n"},
		{"edit con", "config\n"},
		{"disable --reason x ", "shop\nweb\nservice/\nservice-group/\nsite/\nvirtual-server/\n"},
		{"disable --reason x se", "service/\nservice-group/\n"},
		{"enable --reason x we", "web\n"},
		{"drain --reason x virtual-server/", "virtual-server/www\n"},
		{"clear --reason x site/h", "site/here\n"},
		{"disable --reason x service/s", "service/shop\n"},
		{"disable --reason x zone/", ""},
		{"disable --reason x --site ", "here\n"},
		{"release ", "www\n"},
		{"sync resolve --keep current ", ""},
		{"delete service/s --api 127.0.0.1:1 x", ""},
	} {
		word := tt.args[strings.LastIndexByte(tt.args, ' ')+1:]
		out, _ := fairlead(exitDone, append(append([]string{"__complete"}, strings.Fields(strings.TrimSuffix(tt.args, word))...), word)...)
		if got := out[:strings.LastIndex(out, ":")]; got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.args, got, tt.want)
		}
	}
	out, _ := fairlead(exitDone, "__complete", "show", "")
	says(t, out, "\t")
	out, problems := fairlead(exitDone, "__complete", "get", "services", "--api", "127.0.0.1:1", "")
	if !strings.HasPrefix(out, ":") || strings.Contains(problems, "127.0.0.1") {
		t.Errorf("without a node, completion says %q and %q", out, problems)
	}
	out, _ = fairlead(exitDone, "completion", "bash")
	says(t, out, "__complete")
}

func TestSyncCommands(t *testing.T) {
	const side = `"site": "nyc", "author": "bo", "time": "2026-11-22T06:00:00Z"`
	api := fakeAPI(t, map[string]string{
		"/v1/sync": `{"mode": "seed", "revision": "0123456789abcdef", "document": "fedcba9876543210", "heads": [], "conflicts": 1, "unavailable": "the disk is full",
			"inert": [{"pointer": "/objects/service~1web/site", "code": "FL1301", "detail": "there is no site"}],
			"quarantine": [{"revision": {"id": "77c0", "author": "eve"}, "from": "nyc", "why": "its clock is ahead"}],
			"peers": [{"site": "nyc", "connected": true, "same": false, "ahead": 1, "behind": 2, "mode": "seed"}]}`,
		"/v1/sync/conflicts": `{"conflicts": [{"kind": "service", "name": "web", "winner": {"revision": "4f2a", ` + side + `},
			"losers": [{"revision": "77c0", "removed": true, "reason": "gone", ` + side + `, "diff": "--- service/web\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-name: web\n"}]}]}`,
		"/v1/sync/conflicts/service/web/resolve": `{"revision": "abcd", "current": "abcd", "document": "ef", "changes": [{"kind": "service", "name": "web", "change": "removed"}]}`,
	})
	var out, problems output
	if code := run(t.Context(), []string{"sync", "status", "--api", api}, &out, &problems); code != exitDone {
		t.Fatalf("exit code %d: %s", code, problems.String())
	}
	says(t, out.String(), "revision 0123456789ab", "ALARM: the disk is full", "1 conflict: fairlead", "not taken: revision 77c0 of eve, from nyc: its clock is ahead",
		"without effect: service/web site: there is no site [FL1301]", "nyc   up       another   1      2       seed")
	out = output{}
	if code := run(t.Context(), []string{"sync", "conflicts", "--api", api}, &out, &problems); code != exitFailed {
		t.Errorf("with conflicts: exit code %d, want %d", code, exitFailed)
	}
	says(t, out.String(), "service/web\n  counts: 4f2a of bo at nyc, 2026-11-22T06:00:00Z\n  kept:   77c0 of bo at nyc, 2026-11-22T06:00:00Z, removed it: gone\n", "    -name: web\n", "fairlead sync resolve KIND/NAME --keep")
}

func TestPlan(t *testing.T) {
	var out output
	err := printPlan(&out, &resource.WriteResult{
		Changes: []resource.ObjectChange{{Kind: "service", Name: "web\x1b[2J", Change: "changed", Diff: "--- a\n+++ b\n@@ -1 +1 @@\n-a\n+b\x1b[2J\n"}},
		Effect: &resource.WriteEffect{Queries: 200, Moved: 0.125, NewNames: []string{"new.example."}, LostNames: []string{"lost.example."}, More: 3,
			Names: []resource.EffectName{{Name: "www.example.", Queries: 50, Moved: 0.5, From: []resource.EffectShare{{Service: "a", Part: 1}}}}},
	}, true)
	if err != nil {
		t.Fatal(err)
	}
	want := "~ service/web\\x1b[2J\n    \x1b[36m@@ -1 +1 @@\x1b[0m\n    \x1b[31m-a\x1b[0m\n    \x1b[32m+b\\x1b[2J\x1b[0m\n0 added, 1 changed, 0 removed\n" +
		"effect: 12.5 % of 200 recent queries get another answer\n  new.example. gets an answer\n  lost.example. LOSES its answer\n" +
		"  NAME          QUERIES  MOVED  FROM  TO\n  www.example.  50       50 %   a     nothing\n  and 3 more names\n"
	if out.String() != want {
		t.Errorf("got\n%q\nwant\n%q", out.String(), want)
	}
}
