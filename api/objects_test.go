package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"fairlead/api/resource"
	"fairlead/config"
	"fairlead/config/revision"
)

// write sends a write and wants a status.
func (f *documentsFixture) write(t *testing.T, method, target, body string, status int, headers ...string) resource.WriteResult {
	t.Helper()
	w := f.request(method, target, body, headers...)
	if w.Code != status {
		t.Fatalf("%s %s = %d %s, want %d", method, target, w.Code, w.Body, status)
	}
	var out resource.WriteResult
	decode(t, w.Body, &out)
	return out
}

func (f *documentsFixture) etag(t *testing.T, target string) string {
	t.Helper()
	w := f.request(http.MethodGet, target, "")
	if w.Code != http.StatusOK || w.Header().Get("ETag") == "" {
		t.Fatalf("GET %s = %d %s", target, w.Code, w.Body)
	}
	return w.Header().Get("ETag")
}

// TestEachKindOfObject creates, reads, lists, patches and deletes an object of each kind.
func TestEachKindOfObject(t *testing.T) {
	tests := []struct{ collection, name, put, patch, key string }{
		{"zones", "extra.example.com", `{"nameservers":["ns1.extra.example.com"],"records":"ns1 A 192.0.2.53\n"}`, `{"comment":"later"}`, "zone/extra.example.com"},
		{"sites", "sfo", `{"address":"192.0.2.200"}`, `{"comment":"later"}`, "site/sfo"},
		{"monitors", "extra", `{"type":"tcp"}`, `{"comment":"later"}`, "monitor/extra"},
		{"services", "extra", `{"site":"ams","addresses":["192.0.2.90"],"port":80}`, `{"comment":"later"}`, "service/extra"},
		{"service-groups", "extra", `{"site":"ams","members":[{"name":"a","addresses":["192.0.2.91"]}],"port":80}`, `{"comment":"later"}`, "service-group/extra"},
		{"virtual-servers", "extra", `{"method":"round-robin","members":[{"service":"web-ams"}],"domains":[{"name":"extra.gslb.example.com"}]}`, `{"comment":"later"}`, "virtual-server/extra"},
		{"views", "inside", `{"clients":["10.0.0.0/8"]}`, `{"comment":"later"}`, "view/inside"},
		{"locations", "198.18.0.0/15", `{"place":"EU.NL"}`, `{"comment":"later"}`, "location/198.18.0.0/15"},
	}
	f := newDocumentsFixture(t)
	for _, test := range tests {
		t.Run(test.collection, func(t *testing.T) {
			path := "/v1/" + test.collection + "/" + test.name
			made := f.write(t, http.MethodPut, path, test.put, http.StatusCreated)
			if len(made.Changes) != 1 || made.Changes[0].Kind+"/"+made.Changes[0].Name != test.key || made.Changes[0].Change != "added" || made.Revision == "" {
				t.Errorf("created %+v", made)
			}
			if again := f.write(t, http.MethodPut, path, test.put, http.StatusOK); again.Revision != "" || len(again.Changes) != 0 {
				t.Errorf("the same again made %+v, want nothing", again)
			}
			patched := f.write(t, http.MethodPatch, path, test.patch, http.StatusOK)
			if len(patched.Changes) != 1 || !strings.Contains(patched.Changes[0].Diff, "+comment: later") {
				t.Errorf("patched %+v", patched)
			}
			got := f.request(http.MethodGet, path, "", "Accept", "application/yaml")
			if got.Code != http.StatusOK || got.Header().Get("Content-Type") != "application/yaml" || !strings.Contains(got.Body.String(), "comment: later\n") {
				t.Errorf("as YAML: %d %s", got.Code, got.Body)
			}
			if got.Header().Get("ETag") != patched.Changes[0].ETag {
				t.Errorf("tag %s, want %s", got.Header().Get("ETag"), patched.Changes[0].ETag)
			}
			if same := f.request(http.MethodGet, path, "", "If-None-Match", got.Header().Get("ETag")); same.Code != http.StatusNotModified || same.Body.Len() > 0 {
				t.Errorf("what the client has: %d %s", same.Code, same.Body)
			}
			list := get[resource.ObjectList](t, f.fixture, "/v1/"+test.collection)
			if !slices.ContainsFunc(list.Objects, func(o resource.ObjectItem) bool {
				return o.Name == test.name && strings.Contains(string(o.Object), "later")
			}) {
				t.Errorf("the list lacks it: %+v", list)
			}
			f.write(t, http.MethodDelete, path+"?force=true", "", http.StatusOK)
			if p := refusal(t, f.request(http.MethodGet, path, "")); p.Status != http.StatusNotFound || p.Errors[0].Code != resource.CodeNoSuchObject {
				t.Errorf("after it was deleted: %+v", p)
			}
		})
	}
}

func TestSingleObjects(t *testing.T) {
	f := newDocumentsFixture(t)
	if p := refusal(t, f.request(http.MethodGet, "/v1/settings", "")); p.Status != http.StatusNotFound {
		t.Errorf("settings that are not there: %+v", p)
	}
	f.write(t, http.MethodPatch, "/v1/settings", `{"answers":{"coherent":false}}`, http.StatusCreated)
	f.write(t, http.MethodPut, "/v1/views/inside", `{"clients":["10.0.0.0/8"]}`, http.StatusCreated)
	f.write(t, http.MethodPut, "/v1/views/lab", `{"clients":["10.1.0.0/16"]}`, http.StatusCreated)
	f.write(t, http.MethodPut, "/v1/view-order", "[lab, inside]", http.StatusCreated, "Content-Type", "application/yaml")
	if w := f.request(http.MethodGet, "/v1/view-order", ""); strings.TrimSpace(w.Body.String()) != `["lab","inside"]` {
		t.Errorf("the order is %d %s", w.Code, w.Body)
	}
	f.write(t, http.MethodDelete, "/v1/view-order", "", http.StatusOK)
	f.write(t, http.MethodDelete, "/v1/settings", "", http.StatusOK)
}

func TestFiles(t *testing.T) {
	f := newDocumentsFixture(t)
	text := "@ 300 SOA ns1 admin 1 3600 600 86400 300\n@ 300 NS ns1\nns1 300 A 192.0.2.53\n"
	f.write(t, http.MethodPut, "/v1/files/zones/extra.zone", text, http.StatusCreated, "Content-Type", "text/dns")
	f.write(t, http.MethodPut, "/v1/zones/extra.example.com", `{"file":"zones/extra.zone"}`, http.StatusCreated)
	for _, path := range []string{"/v1/files/zones/extra.zone", "/v1/files/zones%2Fextra.zone"} {
		if w := f.request(http.MethodGet, path, ""); w.Code != http.StatusOK || w.Body.String() != text || w.Header().Get("Content-Type") != "application/octet-stream" {
			t.Errorf("GET %s = %d %q", path, w.Code, w.Body)
		}
	}
	if list := get[resource.ObjectList](t, f.fixture, "/v1/files"); len(list.Objects) != 1 || list.Objects[0].Name != "zones/extra.zone" || list.Objects[0].Size != len(text) || list.Objects[0].Object != nil {
		t.Errorf("listed are %+v", list)
	}
	if p := refusal(t, f.request(http.MethodPut, "/v1/files/zones/extra.zone", "@ 300 NONSENSE x\n", "Content-Type", "text/dns")); p.Status != http.StatusUnprocessableEntity {
		t.Errorf("a broken file: %+v", p)
	}
	large := "; " + strings.Repeat("x", 2*MaxBodyBytes) + "\n" + text
	f.write(t, http.MethodPut, "/v1/files/zones/extra.zone", large, http.StatusOK, "Content-Type", "application/octet-stream")
	if p := refusal(t, f.request(http.MethodPut, "/v1/services/x", large)); p.Status != http.StatusRequestEntityTooLarge {
		t.Errorf("an object as large: %+v", p)
	}
}

// TestRefusedWrites: what is wrong, where, and that nothing was written.
func TestRefusedWrites(t *testing.T) {
	tests := []struct {
		name, method, target, body string
		headers                    []string
		status                     int
		places                     []string
	}{
		{"not an object", "PUT", "/v1/services/x", "[1]", nil, 422, []string{"/body FL1104"}},
		{"not YAML", "PUT", "/v1/services/x", "{\"a\":", nil, 422, nil},
		{"two faults at once", "PUT", "/v1/services/x", `{"site":"nowhere","addresses":["192.0.2.1"],"port":80,"color":"red"}`, nil, 422, []string{"/body/color FL1101", "/body/site FL1302"}},
		{"another name inside", "PUT", "/v1/services/x", `{"name":"y"}`, nil, 422, nil},
		{"fault of another object", "DELETE", "/v1/services/web-ams", "", nil, 422, nil},
		{"wrong media type", "PUT", "/v1/services/x", "a=b", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, []string{"/header/Content-Type media-type"}},
		{"patch of nothing", "PATCH", "/v1/services/x", `{"port":81}`, nil, 404, []string{"/path/name no-such-object"}},
		{"deleting nothing", "DELETE", "/v1/services/x", "", nil, 404, []string{"/path/name no-such-object"}},
		{"stale", "PUT", "/v1/services/web-nyc", `{"site":"nyc","addresses":["198.51.100.80"]}`, []string{"If-Match", `"` + strings.Repeat("0", 63) + `1"`}, 412, []string{"/header/If-Match stale"}},
		{"exists already", "PUT", "/v1/services/web-nyc", `{"site":"nyc","addresses":["198.51.100.80"]}`, []string{"If-None-Match", "*"}, 412, []string{"/header/If-Match stale"}},
		{"must exist", "PUT", "/v1/services/x", `{"site":"nyc","addresses":["198.51.100.80"]}`, []string{"If-Match", "*"}, 412, []string{"/header/If-Match stale"}},
		{"no tag", "PUT", "/v1/services/x", `{}`, []string{"If-Match", "abc"}, 422, []string{"/header/If-Match invalid"}},
		{"confirm that is none", "PUT", "/v1/services/x?confirm=soon", `{}`, nil, 422, []string{"/query/confirm invalid"}},
		{"misspelt parameter", "PUT", "/v1/services/x?dryrun=true", `{}`, nil, 422, []string{"/query/dryrun unknown"}},
		{"names without answers", "DELETE", "/v1/virtual-servers/near", "", nil, 409, []string{"/query/force answers-lost", "/names/near.gslb.example.com answers-lost"}},
		{"prefix that is none", "PUT", "/v1/locations/10.0.0.0/99", `{"place":"EU"}`, nil, 422, nil},
	}
	f := newDocumentsFixture(t)
	before := f.docs.Current().Revision
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := refusal(t, f.request(test.method, test.target, test.body, test.headers...))
			if p.Status != test.status {
				t.Errorf("status %d %+v, want %d", p.Status, p, test.status)
			}
			if got := places(p); test.places != nil && !slices.Equal(got, test.places) {
				t.Errorf("places %q, want %q: %+v", got, test.places, p.Errors)
			}
			if now := f.docs.Current().Revision; now != before {
				t.Errorf("something was written: %s", now)
			}
		})
	}
	p := refusal(t, f.request(http.MethodDelete, "/v1/services/web-ams", ""))
	if !slices.ContainsFunc(p.Errors, func(e resource.Fault) bool {
		return strings.HasPrefix(e.Pointer, "/objects/virtual-server~1web/members/")
	}) {
		t.Errorf("what still refers to the service is not named: %+v", p.Errors)
	}
	p = refusal(t, f.request(http.MethodPut, "/v1/services/web-nyc", `{"site":"nyc"}`, "If-Match", `"`+strings.Repeat("0", 64)+`"`))
	if !strings.Contains(string(p.Current), `"web-nyc"`) || p.ETag != f.etag(t, "/v1/services/web-nyc") || p.Revision != before {
		t.Errorf("stale without what is current: %+v", p)
	}
}

func TestErrorsOfDocuments(t *testing.T) {
	f := newDocumentsFixture(t)
	for _, test := range []struct {
		err    error
		status int
		code   string
	}{
		{fmt.Errorf("follows a file: %w", revision.ErrReadOnly), 409, resource.CodeReadOnly},
		{fmt.Errorf("disk full: %w", revision.ErrUnavailable), 503, resource.CodeNotStored},
	} {
		f.docs.refuse = test.err
		p := refusal(t, f.request(http.MethodPut, "/v1/monitors/x", `{"type":"tcp"}`))
		if p.Status != test.status || p.Errors[0].Code != test.code || p.Detail != test.err.Error() {
			t.Errorf("%v is %+v", test.err, p)
		}
	}
	none := newFixture(t, nil)
	if p := refusal(t, none.request(http.MethodGet, "/v1/config", "")); p.Status != http.StatusServiceUnavailable {
		t.Errorf("a node without documents: %+v", p)
	}
}

func TestDryRunWritesNothing(t *testing.T) {
	f := newDocumentsFixture(t)
	before := f.docs.Current().Revision
	got := f.write(t, http.MethodPatch, "/v1/services/web-ams?dry_run=true", `{"port":81}`, http.StatusOK, "Content-Type", "application/merge-patch+json")
	if !got.DryRun || got.Revision != "" || len(got.Changes) != 1 || !strings.Contains(got.Changes[0].Diff, "+port: 81") || got.Effect == nil {
		t.Errorf("got %+v", got)
	}
	if now := f.docs.Current().Revision; now != before || f.docs.commits != 0 {
		t.Errorf("something was written: %s", now)
	}
}

func TestAuthorAndReason(t *testing.T) {
	f := newDocumentsFixture(t)
	got := f.write(t, http.MethodPut, "/v1/monitors/x?confirm=5m", `{"type":"tcp"}`, http.StatusCreated, "Fairlead-Reason", "new check", "Fairlead-Source", "cli",
		"Fairlead-Author", "eve@elsewhere") // of who has a token, the node knows better
	e, err := f.docs.Find(got.Revision)
	if err != nil || e.Revision.Author != "kim" || e.Revision.Reason != "new check" || e.Revision.Source != "cli" || e.Pending.IsZero() || got.ConfirmBy == "" {
		t.Errorf("written %+v, told %+v", e, got)
	}
}

// TestConcurrentPatches: none is lost, and of two with the same tag one fails.
func TestConcurrentPatches(t *testing.T) {
	f := newDocumentsFixture(t)
	tag := f.etag(t, "/v1/services/web-ams")
	codes := make([]int, 8)
	var wg sync.WaitGroup
	for i := range codes {
		wg.Go(func() {
			codes[i] = f.request(http.MethodPatch, "/v1/services/web-ams", fmt.Sprintf(`{"comment":"by %d"}`, i), "If-Match", tag).Code
		})
	}
	wg.Wait()
	slices.Sort(codes)
	if codes[0] != http.StatusOK || codes[1] != http.StatusPreconditionFailed || codes[7] != http.StatusPreconditionFailed {
		t.Errorf("with the same tag: %v, want one 200", codes)
	}
	for i := range 4 {
		wg.Go(func() {
			codes[i] = f.request(http.MethodPatch, "/v1/services/web-ams", fmt.Sprintf(`{"labels":{"k%d":"v"}}`, i)).Code
		})
	}
	wg.Wait()
	if got := f.docs.Current().Objects.Get(config.ObjectKey{Kind: config.ObjectService, Name: "web-ams"}).Labels(); len(got) != 4 || slices.ContainsFunc(codes[:4], func(c int) bool { return c != 200 }) {
		t.Errorf("without a tag: %v made %v, want all four", codes[:4], got)
	}
}

func TestIdempotencyKey(t *testing.T) {
	f := newDocumentsFixture(t)
	tag := f.etag(t, "/v1/services/web-ams")
	patch := func(body, key string) (int, string) {
		w := f.request(http.MethodPatch, "/v1/services/web-ams", body, "If-Match", tag, "Idempotency-Key", key)
		var out resource.WriteResult
		_ = json.Unmarshal(w.Body.Bytes(), &out)
		return w.Code, out.Revision
	}
	code, first := patch(`{"port":81}`, "a")
	if code != http.StatusOK || first == "" {
		t.Fatalf("first: %d %s", code, first)
	}
	if code, again := patch(`{"port":81}`, "a"); code != http.StatusOK || again != first || f.docs.commits != 1 {
		t.Errorf("again: %d %s, want the first outcome %s", code, again, first)
	}
	if code, _ := patch(`{"port":82}`, "a"); code != http.StatusUnprocessableEntity {
		t.Errorf("the key of another request: %d", code)
	}
	if code, _ := patch(`{"port":82}`, "b"); code != http.StatusPreconditionFailed {
		t.Errorf("another key with the old tag: %d", code)
	}
	f.who = "ada"
	if code, _ := patch(`{"port":82}`, "a"); code != http.StatusPreconditionFailed {
		t.Errorf("the key of somebody else: %d, want one's own", code)
	}
}

// TestPagesAreStable: what comes and goes between two pages makes nothing appear twice or be left out.
func TestPagesAreStable(t *testing.T) {
	f := newDocumentsFixture(t)
	for i := range 25 {
		f.write(t, http.MethodPut, fmt.Sprintf("/v1/monitors/m%02d", i), `{"type":"tcp","labels":{"team":"web"}}`, http.StatusCreated)
	}
	var names []string
	next := "/v1/monitors?limit=10&label=team%3Dweb"
	for page := 0; next != ""; page++ {
		list := get[resource.ObjectList](t, f.fixture, next)
		for _, o := range list.Objects {
			names = append(names, o.Name)
		}
		if next = ""; list.NextCursor != "" {
			next = "/v1/monitors?limit=10&label=team%3Dweb&cursor=" + list.NextCursor
		}
		if page == 0 { // the last one of this page goes, and one before it comes
			f.write(t, http.MethodDelete, "/v1/monitors/m09", "", http.StatusOK)
			f.write(t, http.MethodPut, "/v1/monitors/m00a", `{"type":"tcp","labels":{"team":"web"}}`, http.StatusCreated)
		}
	}
	if len(names) != 25 || !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != 25 {
		t.Errorf("pages have %d names: %v", len(names), names)
	}
	if got := get[resource.ObjectList](t, f.fixture, "/v1/services?site=nyc"); len(got.Objects) != 2 {
		t.Errorf("services of nyc: %+v", got)
	}
	if got := get[resource.ObjectList](t, f.fixture, "/v1/monitors?label=team%3Dother"); len(got.Objects) != 0 || got.NextCursor != "" {
		t.Errorf("with another label: %+v", got)
	}
}

// TestWhoMayWrite: roles, and limits to labels before and after.
func TestWhoMayWrite(t *testing.T) {
	f := newDocumentsFixture(t)
	f.write(t, http.MethodPatch, "/v1/services/web-ams", `{"labels":{"team":"web"}}`, http.StatusOK)
	tests := []struct {
		name, method, target, body string
		who                        string
		status                     int
	}{
		{"viewer reads", "GET", "/v1/config", "", "viewer", 200},
		{"viewer writes", "PATCH", "/v1/services/web-ams", `{"port":81}`, "viewer", 403},
		{"operator writes", "PATCH", "/v1/services/web-ams", `{"port":81}`, "operator", 403},
		{"admin of the label", "PATCH", "/v1/services/web-ams", `{"port":81}`, "admin", 200},
		{"object of others", "PATCH", "/v1/services/web-nyc", `{"port":81}`, "admin", 403},
		{"takes an object over", "PATCH", "/v1/services/web-nyc", `{"labels":{"team":"web"}}`, "admin", 403},
		{"gives an object away", "PATCH", "/v1/services/web-ams", `{"labels":{"team":"other"}}`, "admin", 403},
		{"creates without the label", "PUT", "/v1/monitors/x", `{"type":"tcp"}`, "admin", 403},
		{"creates with the label", "PUT", "/v1/monitors/x", `{"type":"tcp","labels":{"team":"web"}}`, "admin", 201},
		{"site with the label", "PUT", "/v1/sites/x", `{"address":"192.0.2.99","labels":{"team":"web"}}`, "admin", 403},
		{"settings", "PATCH", "/v1/settings", `{"answers":{"coherent":false}}`, "admin", 403},
		{"rollback", "POST", "/v1/revisions/a0000000/rollback", "", "admin", 403},
		{"secrets", "GET", "/v1/config?secrets=true", "", "admin", 403},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f.who = test.who
			if w := f.request(test.method, test.target, test.body); w.Code != test.status {
				t.Errorf("%d %s, want %d", w.Code, w.Body, test.status)
			}
		})
	}
}

// TestSecretsAreMasked: they are shown when an administrator asks for them, and stay when what was shown is sent back.
func TestSecretsAreMasked(t *testing.T) {
	f := newDocumentsFixture(t)
	f.write(t, http.MethodPut, "/v1/monitors/m", `{"type":"http","http":{"headers":[{"name":"Authorization","value":"Bearer s3cret"}]}}`, http.StatusCreated)
	for _, target := range []string{"/v1/monitors/m", "/v1/monitors", "/v1/config", "/v1/revisions/current", "/v1/revisions/a0000000/diff/current", "/v1/revisions/current/config"} {
		for _, accept := range []string{"application/json", "application/yaml"} {
			if w := f.request(http.MethodGet, target, "", "Accept", accept); w.Code != http.StatusOK || strings.Contains(w.Body.String(), "s3cret") {
				t.Errorf("GET %s = %d %s", target, w.Code, w.Body)
			}
		}
	}
	shown := f.request(http.MethodGet, "/v1/monitors/m", "").Body.String()
	if !strings.Contains(shown, "***") {
		t.Fatalf("shown is %s", shown)
	}
	f.write(t, http.MethodPut, "/v1/monitors/m", strings.Replace(shown, "{", `{"comment":"x",`, 1), http.StatusOK)
	if w := f.request(http.MethodGet, "/v1/monitors/m?secrets=true", ""); !strings.Contains(w.Body.String(), "s3cret") || !strings.Contains(w.Body.String(), `"comment":"x"`) {
		t.Errorf("after it was sent back: %s", w.Body)
	}
}
