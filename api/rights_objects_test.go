package api

import (
	"net/http"
	"strings"
	"testing"

	"fairlead/api/resource"
	"fairlead/config"
)

func mustKey(text string) config.ObjectKey {
	key, ok := config.ParseObjectKey(text)
	if !ok {
		panic(text)
	}
	return key
}

// TestLimitsHoldEveryWay: who may change objects with a label cannot reach others in any of the ways to write, nor take objects over or give them away, nor
// change what all objects share. Nothing has changed after any of these.
func TestLimitsHoldEveryWay(t *testing.T) {
	f := newDocumentsFixture(t)
	f.write(t, http.MethodPut, "/v1/services/was-web", `{"site":"nyc","addresses":["198.51.100.7"],"labels":{"team":"web"}}`, http.StatusCreated)
	f.write(t, http.MethodPatch, "/v1/services/web-ams", `{"labels":{"team":"web"}}`, http.StatusOK)
	f.write(t, http.MethodPut, "/v1/views/inside", `{"clients":["10.0.0.0/8"],"labels":{"team":"web"}}`, http.StatusCreated)
	old := f.docs.Current().Revision // was-web is of web, gone is there
	f.write(t, http.MethodPatch, "/v1/services/was-web", `{"labels":{"team":"db"}}`, http.StatusOK)
	f.write(t, http.MethodPatch, "/v1/virtual-servers/web", `{"backup_hold":false}`, http.StatusOK)
	before := f.docs.Current()
	whole := f.request(http.MethodGet, "/v1/config", "", "Accept", "application/yaml").Body.String()
	for _, c := range []struct{ name, method, target, body string }{
		{"patches an object of others", "PATCH", "/v1/services/web-nyc", `{"port":81}`},
		{"in a dry run", "PATCH", "/v1/services/web-nyc?dry_run=true", `{"port":81}`},
		{"replaces it", "PUT", "/v1/services/web-nyc", `{"site":"nyc","addresses":["192.0.2.66"],"labels":{"team":"web"}}`},
		{"deletes it", "DELETE", "/v1/services/web-nyc", ""},
		{"by force", "DELETE", "/v1/services/web-nyc?force=true", ""},
		{"takes it over", "PATCH", "/v1/services/web-nyc", `{"labels":{"team":"web"}}`},
		{"gives an own one away", "PATCH", "/v1/services/web-ams", `{"labels":{"team":"db"}}`},
		{"takes its labels off", "PATCH", "/v1/services/web-ams", `{"labels":null}`},
		{"replaces it without labels", "PUT", "/v1/services/web-ams", `{"site":"ams","addresses":["192.0.2.80"]}`},
		{"creates for others", "PUT", "/v1/services/new", `{"site":"ams","addresses":["192.0.2.80"],"labels":{"team":"db"}}`},
		{"creates for nobody", "PUT", "/v1/services/new", `{"site":"ams","addresses":["192.0.2.80"]}`},
		{"a virtual server of others", "PATCH", "/v1/virtual-servers/web", `{"ttl":"5s"}`},
		{"a zone of others", "PATCH", "/v1/zones/gslb.example.com", `{"records":""}`},
		{"a site, with the label", "PUT", "/v1/sites/x", `{"address":"192.0.2.99","labels":{"team":"web"}}`},
		{"settings", "PATCH", "/v1/settings", `{"answers":{"coherent":false}}`},
		{"settings, whole", "PUT", "/v1/settings", `{}`},
		{"the order of views", "PUT", "/v1/view-order", `["inside"]`},
		{"a zone file", "PUT", "/v1/files/web.zone", `www 60 A 192.0.2.66`},
		{"goes back", "POST", "/v1/revisions/" + old + "/rollback", ""},
		{"goes back to what is", "POST", "/v1/revisions/" + before.Revision + "/rollback", ""},
		{"takes an object of others back", "POST", "/v1/revisions/" + old + "/rollback?object=virtual-server/web", ""},
		{"one that was of web once", "POST", "/v1/revisions/" + old + "/rollback?object=service/was-web", ""},
		{"among own ones", "POST", "/v1/revisions/" + old + "/rollback?object=service/web-ams,service/was-web", ""},
		{"the whole document, one address changed", "PUT", "/v1/config", strings.Replace(whole, "198.51.100.80", "192.0.2.66", 1)},
		{"the whole document, its own object alone left", "PUT", "/v1/config", "services: [{name: web-ams, site: ams, addresses: [192.0.2.80], labels: {team: web}}]"},
		{"settles a conflict", "POST", "/v1/sync/conflicts/service/web-ams/resolve", `{"keep":"current"}`},
		{"keeps what others wrote", "POST", "/v1/revisions/" + before.Revision + "/confirm", ""},
		{"takes a backup in", "POST", "/v1/restore", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f.who = "admin" // of team web
			header := []string{}
			if c.target == "/v1/config" {
				header = []string{"Content-Type", "application/yaml"}
			}
			w := f.request(c.method, c.target, c.body, header...)
			changes := w.Code >= 200 && w.Code < 300
			if same := f.docs.Current().Document == before.Document; !same || changes && !strings.Contains(c.name, "to what is") {
				t.Fatalf("got %d %s; the document is as it was: %v", w.Code, w.Body, same)
			}
			if strings.HasPrefix(c.target, "/v1/restore") {
				return
			}
			if p := refusal(t, w); p.Errors[0].Code != resource.CodeOutsideLabels {
				t.Errorf("refused as %+v", p)
			}
		})
	}
	if got := f.docs.Current().Revision; got != before.Revision {
		t.Errorf("there is another revision: %s", got)
	}
}

// TestSecretsStayHidden: nobody but administrators, who ask for them, gets to see a secret or something that it can be tried out with.
func TestSecretsStayHidden(t *testing.T) {
	f := newDocumentsFixture(t)
	const secret = "s3cret-9f"
	old := f.docs.Current()
	put := func(value string) {
		f.write(t, http.MethodPut, "/v1/monitors/m", `{"type":"http","http":{"path":"/h?token=`+value+`","headers":[{"name":"X-Api-Key","value":"`+value+`"}]},"labels":{"team":"web"}}`, http.StatusCreated)
	}
	put(secret)
	f.write(t, http.MethodPatch, "/v1/services/web-ams", `{"labels":{"team":"web"},"load":{"source":"json","url":"http://192.0.2.80/l?api_key=`+secret+`","path":"active"}}`, http.StatusOK)
	v := f.docs.Current()
	m := v.Objects.Get(mustKey("monitor/m"))
	plain := tagger("").plain(m) // what it would be of an object without secrets
	for _, who := range []string{"viewer", "operator", "admin", "ada"} {
		f.who = who
		for _, target := range []string{"/v1/monitors", "/v1/monitors/m", "/v1/services", "/v1/services/web-ams", "/v1/config", "/v1/revisions", "/v1/revisions/current", "/v1/revisions/current/config",
			"/v1/revisions/" + old.Revision + "/diff/current", "/v1/revisions/current/diff/" + old.Revision, "/v1/sync", "/v1/sync/conflicts", "/v1/status/peers", "/v1/status/document",
			"/v1/status/services", "/v1/status/services/web-ams", "/v1/explain?name=www.gslb.example.com&type=A&client=192.0.2.1", "/metrics", "/readyz?verbose", "/v1/audit"} {
			w := f.request(http.MethodGet, target, "")
			all := w.Body.String()
			for _, values := range w.Header() {
				all += strings.Join(values, "\n")
			}
			for what, bad := range map[string]string{"the secret": secret, "the object's hash": plain, "the document's hash": v.Document} {
				if strings.Contains(all, bad) {
					t.Errorf("%s: %s has %s: %.300s", who, target, what, all)
				}
			}
		}
		for _, c := range []struct{ method, target, body string }{
			{"GET", "/v1/monitors/m?secrets=true", ""}, {"GET", "/v1/config?secrets=true", ""}, {"GET", "/v1/revisions/current/config?secrets=true", ""},
			{"POST", "/v1/monitors/m/test", `{"target":"192.0.2.66:80"}`}, {"GET", "/v1/backup", ""},
		} {
			if w := f.request(c.method, c.target, c.body); w.Code != http.StatusForbidden && who != "ada" {
				t.Errorf("%s: %s %s: %d %.200s", who, c.method, c.target, w.Code, w.Body)
			}
		}
	}
}

// TestTagsOfSecrets: the tag of an object with secrets serves If-Match, is none of its hash, and is another one at another node.
func TestTagsOfSecrets(t *testing.T) {
	f := newDocumentsFixture(t)
	f.write(t, http.MethodPut, "/v1/monitors/m", `{"type":"http","http":{"headers":[{"name":"Cookie","value":"hush"}]}}`, http.StatusCreated)
	tag := f.etag(t, "/v1/monitors/m")
	m := f.docs.Current().Objects.Get(mustKey("monitor/m"))
	plain := tagger("").plain(m)
	if tag == plain {
		t.Fatalf("the tag is the hash: %s", tag)
	}
	if a, b := tagger("one").of(m), tagger("two").of(m); a == b || a != tagger("one").of(m) {
		t.Errorf("tags with two keys: %s, %s", a, b)
	}
	if w := f.request(http.MethodPatch, "/v1/monitors/m", `{"interval":"7s"}`, "If-Match", plain); w.Code != http.StatusPreconditionFailed || strings.Contains(w.Body.String(), "hush") {
		t.Errorf("the hash is taken for a tag: %d %s", w.Code, w.Body)
	}
	if w := f.request(http.MethodPatch, "/v1/monitors/m", `{"interval":"7s"}`, "If-Match", plain, "Idempotency-Key", "k"); w.Code != http.StatusPreconditionFailed {
		t.Errorf("the hash is taken for a tag: %d", w.Code)
	}
	if w := f.request(http.MethodGet, "/v1/monitors/m", "", "If-None-Match", tag); w.Code != http.StatusNotModified {
		t.Errorf("If-None-Match: %d", w.Code)
	}
	f.write(t, http.MethodPatch, "/v1/monitors/m", `{"interval":"7s"}`, http.StatusOK, "If-Match", tag)
	if f.etag(t, "/v1/monitors/m") == tag {
		t.Error("another object has the same tag")
	}
	if w := f.request(http.MethodPatch, "/v1/monitors/m", `{"interval":"8s"}`, "If-Match", tag); w.Code != http.StatusPreconditionFailed {
		t.Errorf("a stale tag: %d", w.Code)
	}
	if s, o := f.etag(t, "/v1/services/web-ams"), f.docs.Current().Objects.Get(mustKey("service/web-ams")); s != tagger("").plain(o) {
		t.Errorf("the tag of an object without secrets is %s, which no other site has", s)
	}
}
