package api

import (
	"net/http"
	"testing"
)

// FuzzBodies: whatever is sent as an object, a patch or a document, the answer is a problem or a result, and what is stored is a valid document.
func FuzzBodies(f *testing.F) {
	for _, seed := range []string{`{"site":"ams","addresses":["192.0.2.90"]}`, `{"port":null}`, "a: &a [*a]", "[", "{}", "null", "\xff", `{"labels":{"a":"***"}}`, testDocument} {
		f.Add(byte(0), "application/json", []byte(seed))
		f.Add(byte(1), "application/merge-patch+json", []byte(seed))
		f.Add(byte(2), "application/yaml", []byte(seed))
		f.Add(byte(3), "text/dns", []byte(seed))
	}
	f.Add(byte(2), "multipart/form-data; boundary=b", []byte("--b\r\nContent-Disposition: form-data; name=\"document\"\r\n\r\nsites: []\r\n--b--\r\n"))
	node := newDocumentsFixture(f)
	f.Fuzz(func(t *testing.T, which byte, media string, body []byte) {
		target := [...]struct{ method, path string }{{http.MethodPut, "/v1/services/x"}, {http.MethodPatch, "/v1/services/web-ams"}, {http.MethodPut, "/v1/config"},
			{http.MethodPut, "/v1/files/a/b.zone"}}[which%4]
		w := node.request(target.method, target.path+"?dry_run=true&force=true", string(body), "Content-Type", media)
		if w.Code >= 500 {
			t.Errorf("%s %s = %d %s", target.method, target.path, w.Code, w.Body)
		}
	})
}

// FuzzTags: a header of tags is refused or read, and what is read has no quotes.
func FuzzTags(f *testing.F) {
	for _, seed := range []string{"*", `"a"`, `W/"a", "b"`, `"`, `""`, `"a"b"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := readTags("If-Match", text)
		if err == nil && len(got.list) > maxTags {
			t.Errorf("%q has %d tags", text, len(got.list))
		}
		for _, tag := range got.list {
			if !got.has(quoted(tag)) || tag == "" {
				t.Errorf("%q has the tag %q", text, tag)
			}
		}
	})
}
