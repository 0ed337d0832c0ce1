package api

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"

	"fairlead/api/resource"
	"fairlead/config"
	"fairlead/config/revision"
)

func TestWholeDocument(t *testing.T) {
	f := newDocumentsFixture(t)
	tag := f.etag(t, "/v1/config")
	yaml := f.request(http.MethodGet, "/v1/config", "", "Accept", "application/yaml;q=1, application/json;q=0.5")
	if yaml.Header().Get("Content-Type") != "application/yaml" || !strings.Contains(yaml.Body.String(), "\nservices:\n") {
		t.Fatalf("as YAML: %d %s", yaml.Code, yaml.Body)
	}
	if same := f.write(t, http.MethodPut, "/v1/config", yaml.Body.String(), http.StatusOK, "Content-Type", "application/yaml"); len(same.Changes) != 0 || same.Revision != "" {
		t.Errorf("what was read, written back, changes %+v", same.Changes)
	}
	changed := strings.Replace(yaml.Body.String(), "port: 80", "port: 8080", 1)
	plan := f.write(t, http.MethodPut, "/v1/config?dry_run=true", changed, http.StatusOK, "Content-Type", "application/yaml", "If-Match", tag)
	if len(plan.Changes) != 1 || !plan.DryRun || f.docs.Current().Revision != strings.Trim(tag, `"`) {
		t.Errorf("planned %+v", plan)
	}
	made := f.write(t, http.MethodPut, "/v1/config", changed, http.StatusOK, "Content-Type", "application/yaml", "If-Match", tag)
	if len(made.Changes) != 1 || made.Revision == "" {
		t.Errorf("applied %+v", made)
	}
	if p := refusal(t, f.request(http.MethodPut, "/v1/config", changed, "Content-Type", "application/yaml", "If-Match", tag)); p.Status != http.StatusPreconditionFailed || p.Revision != made.Revision {
		t.Errorf("with the old tag: %+v", p)
	}
	broken := strings.Replace(changed, "site: nyc", "site: nowhere", 1) + "color: red\n"
	p := refusal(t, f.request(http.MethodPut, "/v1/config", broken, "Content-Type", "application/yaml"))
	if p.Status != http.StatusUnprocessableEntity || len(p.Errors) == 0 || p.Errors[0].Line == 0 {
		t.Errorf("a broken document: %+v, want lines", p)
	}
	broken = strings.Replace(changed, "site: nyc", "site: nowhere", 1)
	p = refusal(t, f.request(http.MethodPut, "/v1/config", broken, "Content-Type", "application/yaml"))
	if p.Status != http.StatusUnprocessableEntity || !strings.HasPrefix(p.Errors[0].Pointer, "/body/services/") || p.Errors[0].Line == 0 || p.Errors[0].Code != "FL1302" {
		t.Errorf("a reference to nothing: %+v, want its place in the text", p)
	}
}

// TestDocumentWithFiles: a form brings the files of the document, and a document alone leaves them as they are.
func TestDocumentWithFiles(t *testing.T) {
	f := newDocumentsFixture(t)
	document := f.request(http.MethodGet, "/v1/config", "", "Accept", "application/yaml").Body.String()
	document = strings.Replace(document, "zones:\n", "zones:\n  - {name: extra.example.com, file: zones/extra.zone}\n", 1)
	form := func(files map[string]string) (body, contentType string) {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		part, _ := w.CreateFormField("document")
		fmt.Fprint(part, document)
		for path, text := range files {
			part, _ = w.CreateFormFile("file:"+path, "x")
			fmt.Fprint(part, text)
		}
		_ = w.Close()
		return b.String(), w.FormDataContentType()
	}
	body, media := form(map[string]string{"zones/extra.zone": "@ 300 SOA ns1 admin 1 3600 600 86400 300\n@ 300 NS ns1\nns1 300 A 192.0.2.53\n"})
	made := f.write(t, http.MethodPut, "/v1/config", body, http.StatusOK, "Content-Type", media)
	if len(made.Changes) != 2 || f.docs.Current().Objects.Get(config.ObjectKey{Kind: config.ObjectFile, Name: "zones/extra.zone"}) == nil {
		t.Errorf("applied %+v, want a zone and its file", made.Changes)
	}
	if again := f.write(t, http.MethodPut, "/v1/config", document, http.StatusOK, "Content-Type", "application/yaml"); len(again.Changes) != 0 {
		t.Errorf("the document alone changed %+v", again.Changes)
	}
	body, media = form(nil)
	if p := refusal(t, f.request(http.MethodPut, "/v1/config", body, "Content-Type", media)); p.Status != http.StatusUnprocessableEntity {
		t.Errorf("a form without the file: %+v", p)
	}
	if p := refusal(t, f.request(http.MethodPut, "/v1/config", "x", "Content-Type", "multipart/form-data; boundary=b")); p.Status != http.StatusUnprocessableEntity {
		t.Errorf("no form: %+v", p)
	}
}

func TestHistory(t *testing.T) {
	f := newDocumentsFixture(t)
	var ids []string
	for i := range 5 {
		ids = append(ids, f.write(t, http.MethodPatch, "/v1/services/web-ams", fmt.Sprintf(`{"port":%d}`, 8000+i), http.StatusOK, "Fairlead-Reason", fmt.Sprint("step ", i)).Revision)
	}
	f.write(t, http.MethodPatch, "/v1/services/web-nyc", `{"port":9000}`, http.StatusOK)
	var listed []string
	next := "/v1/revisions?limit=2&object=service/web-ams"
	for next != "" {
		page := get[resource.RevisionList](t, f.fixture, next)
		for _, r := range page.Revisions {
			listed = append(listed, r.ID)
		}
		if next = ""; page.NextCursor != "" {
			next = "/v1/revisions?limit=2&object=service/web-ams&cursor=" + page.NextCursor
		}
	}
	slices.Reverse(listed)
	if !slices.Equal(listed, ids) {
		t.Errorf("the history of the service is %v, want %v", listed, ids)
	}
	one := get[resource.Revision](t, f.fixture, "/v1/revisions/"+ids[2][:12])
	if one.Reason != "step 2" || one.Author != "kim" || len(one.Changes) != 1 || !strings.Contains(one.Changes[0].Diff, "-port: 8001\n+port: 8002") {
		t.Errorf("revision %+v", one)
	}
	diff := get[resource.RevisionDiff](t, f.fixture, "/v1/revisions/"+ids[0]+"/diff/current")
	if len(diff.Changes) != 2 || !strings.Contains(diff.Changes[0].Diff, "-port: 8000\n+port: 8004") {
		t.Errorf("difference %+v", diff)
	}
	if w := f.request(http.MethodGet, "/v1/revisions/"+ids[1]+"/config", "", "Accept", "application/yaml"); !strings.Contains(w.Body.String(), "port: 8001") {
		t.Errorf("the document then: %d %s", w.Code, w.Body)
	}
	for _, path := range []string{"/v1/revisions/ffffffff", "/v1/revisions/abc/config", "/v1/revisions/current/diff/ffffffff"} {
		if p := refusal(t, f.request(http.MethodGet, path, "")); p.Status != http.StatusNotFound || p.Errors[0].Code != resource.CodeNoSuchRevision {
			t.Errorf("GET %s: %+v", path, p)
		}
	}
	restored := f.write(t, http.MethodPost, "/v1/revisions/"+ids[3]+"/rollback?object=service/web-ams", "", http.StatusOK)
	if len(restored.Changes) != 1 || !strings.Contains(restored.Changes[0].Diff, "+port: 8003") {
		t.Errorf("one object of a revision: %+v", restored)
	}
	back := f.write(t, http.MethodPost, "/v1/revisions/a0000000/rollback", "", http.StatusOK)
	if e, _ := f.docs.Find(back.Revision); len(back.Changes) != 2 || e.Revision.Source != "rollback" || !strings.HasPrefix(e.Revision.Reason, "back to a0000000") {
		t.Errorf("rolled back %+v", back)
	}
}

func TestConfirm(t *testing.T) {
	f := newDocumentsFixture(t)
	made := f.write(t, http.MethodPatch, "/v1/services/web-ams?confirm=5m", `{"port":81}`, http.StatusOK)
	path := "/v1/revisions/" + made.Revision
	if one := get[resource.Revision](t, f.fixture, path); one.ConfirmBy.IsZero() {
		t.Errorf("before: %+v", one)
	}
	if w := f.request(http.MethodPost, path+"/confirm", ""); w.Code != http.StatusOK {
		t.Errorf("confirm = %d %s", w.Code, w.Body)
	}
	if one := get[resource.Revision](t, f.fixture, path); !one.ConfirmBy.IsZero() {
		t.Errorf("after: %+v", one)
	}
	if p := refusal(t, f.request(http.MethodPost, path+"/confirm", "")); p.Status != http.StatusConflict || p.Errors[0].Code != resource.CodeNothingToKeep {
		t.Errorf("again: %+v", p)
	}
}

func TestConflicts(t *testing.T) {
	f := newDocumentsFixture(t)
	key := config.ObjectKey{Kind: config.ObjectLocation, Name: "198.18.0.0/15"}
	f.write(t, http.MethodPut, "/v1/locations/198.18.0.0/15", `{"place":"EU.NL"}`, http.StatusCreated)
	loser, err := config.NewObject(key.Kind, key.Name, []byte(`{"place":"NA.US"}`))
	if err != nil {
		t.Fatal(err)
	}
	conflict := func() {
		f.docs.conflicts = []revision.Conflict{{Key: key, Winner: revision.Side{Revision: "aaaa1111", Site: "ams", Object: f.docs.Current().Objects.Get(key)},
			Losers: []revision.Side{{Revision: "bbbb2222", Site: "nyc", Author: "ada", Object: loser}, {Revision: "cccc3333", Site: "tyo"}}}}
	}
	conflict()
	list := get[resource.ConflictList](t, f.fixture, "/v1/sync/conflicts")
	if len(list.Conflicts) != 1 || !strings.Contains(list.Conflicts[0].Losers[0].Diff, "+place: NA.US") || !list.Conflicts[0].Losers[1].Removed {
		t.Errorf("listed %+v", list)
	}
	if s := get[resource.Sync](t, f.fixture, "/v1/sync"); s.Conflicts != 1 || s.Mode != "seed" || len(s.Heads) != 1 {
		t.Errorf("sync %+v", s)
	}
	path := "/v1/sync/conflicts/location/198.18.0.0/15/resolve"
	if p := refusal(t, f.request(http.MethodPost, path, `{"keep":"dddd"}`)); p.Status != http.StatusNotFound {
		t.Errorf("a side that is none: %+v", p)
	}
	if got := f.write(t, http.MethodPost, path, `{"keep":"bbbb2222"}`, http.StatusOK); len(got.Changes) != 1 || len(f.docs.Conflicts()) != 0 {
		t.Errorf("kept the loser: %+v", got)
	}
	conflict()
	if got := f.write(t, http.MethodPost, path, `{"keep":"current","reason":"fine"}`, http.StatusOK); len(got.Changes) != 0 || got.Revision == "" {
		t.Errorf("kept what counts: %+v", got)
	}
	conflict()
	if got := f.write(t, http.MethodPost, path, `{"keep":"cccc"}`, http.StatusOK); len(got.Changes) != 1 || got.Changes[0].Change != "removed" {
		t.Errorf("kept that it was removed: %+v", got)
	}
	if p := refusal(t, f.request(http.MethodPost, path, `{"keep":"current"}`)); p.Status != http.StatusNotFound || p.Errors[0].Code != resource.CodeNoSuchConflict {
		t.Errorf("again: %+v", p)
	}
}

func TestPeers(t *testing.T) {
	f := newDocumentsFixture(t)
	f.docs.sync.Peers = []revision.PeerSync{{Site: "nyc", Connected: true, Document: f.docs.Current().Document, Mode: "seed", Ahead: 2}, {Site: "zzz"}}
	list := get[resource.PeerList](t, f.fixture, "/v1/status/peers")
	if len(list.Peers) != 3 || list.Peers[0].Site != "nyc" || list.Peers[0].State != "up" || list.Peers[0].Document == nil || !list.Peers[0].Document.Same ||
		list.Peers[0].Document.Ahead != 2 || list.Peers[1].Document != nil || list.Peers[2].State != "none" {
		t.Errorf("peers %+v", list.Peers)
	}
}

// TestWritesAreAudited: what was done, and what was not allowed.
func TestWritesAreAudited(t *testing.T) {
	f := newDocumentsFixture(t)
	f.write(t, http.MethodPatch, "/v1/services/web-ams", `{"port":81}`, http.StatusOK, "Fairlead-Reason", "moved")
	f.write(t, http.MethodPatch, "/v1/services/web-ams?dry_run=true", `{"port":82}`, http.StatusOK)
	f.who = "admin" // of another team's objects
	refusal(t, f.request(http.MethodPatch, "/v1/services/web-ams", `{"port":83}`))
	f.who = "kim"
	page := get[resource.AuditPage](t, f.fixture, "/v1/audit")
	if len(page.Entries) != 3 || page.Entries[1].Outcome != "done" || page.Entries[1].After != f.docs.Current().Revision {
		t.Fatalf("entries %+v, want three", page.Entries)
	}
	refused, done := page.Entries[0], page.Entries[2]
	if done.Action != "patch" || done.Object != "service/web-ams" || done.Who.Name != "kim" || done.Reason != "moved" || done.Outcome != "accepted" || !strings.Contains(done.Diff, "+port: 81") {
		t.Errorf("done is %+v", done)
	}
	if refused.Outcome != "refused" || refused.Who.Name != "admin" || refused.Object != "service/web-ams" {
		t.Errorf("refused is %+v", refused)
	}
}
