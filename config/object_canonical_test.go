package config

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// TestCanonicalForm is a contract: stores and other sites know objects by the hash of these bytes.
func TestCanonicalForm(t *testing.T) {
	for _, c := range []struct{ name, key, text, want string }{
		{"keys are in order", "service/web", "site: ams\nname: web\nport: 80", `{"name":"web","port":80,"site":"ams"}`},
		{"the name is filled in", "service/web", "site: ams", `{"name":"web","site":"ams"}`},
		{"JSON is the same", "service/web", ` {"site" : "ams" , "name":"web"}`, `{"name":"web","site":"ams"}`},
		{"no nulls", "service/web", "site: ams\nport:\nload: ~", `{"name":"web","site":"ams"}`},
		{"unknown keys stay", "service/web", "zebra: [1, {b: 2, a: x}]", `{"name":"web","zebra":[1,{"a":"x","b":2}]}`},
		{"whole numbers keep their digits", "service/web", "a: 18446744073709551615\nb: -0\nc: 007.50", `{"a":18446744073709551615,"b":0,"c":7.5,"name":"web"}`},
		{"numbers are short", "service/web", "a: 1.50\nb: 1e3\nc: 1e-9\nd: 1e21\ne: 2.0\nf: 0.000001", `{"a":1.5,"b":1000,"c":1e-9,"d":1e+21,"e":2,"f":0.000001,"name":"web"}`},
		{"truth", "service/web", "a: True\nb: FALSE\nc: yes", `{"a":true,"b":false,"c":"yes","name":"web"}`},
		{"only what must be is escaped", "service/web", `{"a": "<&>\u2028é\ud83d\ude00\u0001\"\\\/"}`, `{"a":"<&>` + "\u2028é😀" + `\u0001\"\\/","name":"web"}`},
		{"aliases and merge keys are written out", "service/web", "a: &x {k: 1}\nb: *x\nc: {<<: *x, l: 2}", `{"a":{"k":1},"b":{"k":1},"c":{"k":1,"l":2},"name":"web"}`},
		{"a zone by its usual name", "zone/GSLB.Example.COM.", "nameservers: [ns1]", `{"name":"gslb.example.com","nameservers":["ns1"]}`},
		{"a zone of views", "zone/example.com@b,a", "file: x", `{"file":"x","name":"example.com","views":["a","b"]}`},
		{"a zone as it is written", "zone/example.com", "name: Example.com.", `{"name":"Example.com."}`},
		{"a location", "location/2001:DB8::/32", "place: EU", `{"place":"EU","prefix":"2001:db8::/32"}`},
		{"settings", "settings/settings", "mep: {hold: 5s}", `{"mep":{"hold":"5s"}}`},
		{"the order of views", "view-order/views", "[b, a]", `["b","a"]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := object(t, c.key, c.text)
			if got := string(o.Text()); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			again, err := ObjectFromCanonical(o.Key(), o.Text())
			if err != nil || again.Hash() != o.Hash() {
				t.Errorf("from its own text: %v", err)
			}
		})
	}
}

func TestNewObjectRefuses(t *testing.T) {
	for _, c := range []struct {
		name, text string
		kind       ObjectKind
		want       Code
	}{
		{"web", "name: other", ObjectService, codeName},
		{"web", "name: 7", ObjectService, codeName},
		{"web", "[a]", ObjectService, codeWrongKind},
		{"web", "a: [1, ]\nb: [~]", ObjectService, codeWrongKind},
		{"web", "a: 0x10", ObjectService, codeWrongKind},
		{"web", "a: .inf", ObjectService, codeWrongKind},
		{"web", "a: 1\na: 2", ObjectService, codeDuplicateKey},
		{"web", `{"a": 1, "a": 2}`, ObjectService, codeDuplicateKey},
		{"web", "a: {", ObjectService, codeSyntax},
		{"web", "", ObjectService, codeEmpty},
		{"", "site: ams", ObjectService, codeName},
		{"web", "site: ams", 99, codeName},
		{"web", "a: " + strings.Repeat("[", 70) + strings.Repeat("]", 70), ObjectService, codeTooDeep},
		{"example.com", "name: example.com\nviews: [a]", ObjectZone, codeName},
		{"views", "a: b", ObjectViewOrder, codeWrongKind},
		{"web", "a: \xff", ObjectService, codeNotUTF8},
		{strings.Repeat("n", MaxObjectName+1), "{}", ObjectFile, codeName},
		{"web", strings.Repeat("k", 200) + ": 1", ObjectService, codeKey},
	} {
		_, err := NewObject(c.kind, c.name, []byte(c.text))
		var refused *ObjectError
		if !errors.As(err, &refused) || len(refused.Problems) == 0 || refused.Problems[0].Code != c.want {
			t.Errorf("%s %q: got %v, want %s", c.name, c.text, err, c.want)
		}
	}
}

func TestObjectFromCanonicalRefuses(t *testing.T) {
	for _, text := range []string{
		``, `{}`, `{"name":"other"}`, `{"name":"web" }`, `{"name":"web","a":null}`, `{"name":"web","a":1}`, `{"name":"web","z":1.0}`, `{"name":"web","z":"\u0041"}`,
		`{"name":"web","z":01}`, `{"name":"web"}{}`, `{"name":"web","z":[null]}`, `{"name":"web","name":"web"}`, `["name"]`, `{"name":7}`, "{\"name\":\"web\",\"z\":\"\xff\"}",
	} {
		if _, err := ObjectFromCanonical(ObjectKey{ObjectService, "web"}, []byte(text)); err == nil {
			t.Errorf("%s was taken", text)
		}
	}
}

func TestMergePatch(t *testing.T) {
	before := object(t, "service/web", "site: ams\nport: 80\nload: {source: api, interval: 5s}\nmonitors: [a, b]")
	for _, c := range []struct{ name, patch, want string }{
		{"a key changes", `{"port": 81}`, `{"load":{"interval":"5s","source":"api"},"monitors":["a","b"],"name":"web","port":81,"site":"ams"}`},
		{"null removes", `{"port": null, "nothing": null}`, `{"load":{"interval":"5s","source":"api"},"monitors":["a","b"],"name":"web","site":"ams"}`},
		{"mappings are merged", `{"load": {"interval": null, "timeout": "1s"}}`, `{"load":{"source":"api","timeout":"1s"},"monitors":["a","b"],"name":"web","port":80,"site":"ams"}`},
		{"lists are replaced", `monitors: [c]`, `{"load":{"interval":"5s","source":"api"},"monitors":["c"],"name":"web","port":80,"site":"ams"}`},
		{"new mappings lose their nulls", `{"labels": {"a": "b", "c": null}}`, `{"labels":{"a":"b"},"load":{"interval":"5s","source":"api"},"monitors":["a","b"],"name":"web","port":80,"site":"ams"}`},
		{"the name removed is filled in", `{"name": null, "port": 82}`, `{"load":{"interval":"5s","source":"api"},"monitors":["a","b"],"name":"web","port":82,"site":"ams"}`},
	} {
		got, err := MergePatch(before, []byte(c.patch))
		if err != nil || string(got.Text()) != c.want {
			t.Errorf("%s: got %s, %v\nwant %s", c.name, got.Text(), err, c.want)
		}
	}
	for _, bad := range []string{`{"name": "other"}`, `[]`, `7`, `{`, ``} {
		if got, err := MergePatch(before, []byte(bad)); err == nil {
			t.Errorf("patch %s was taken: %s", bad, got.Text())
		}
	}
}

func TestMaskedObject(t *testing.T) {
	o := object(t, "monitor/web", `{type: http, login: {user: u, password: "file:/s/p"}, http: {headers: [{name: Authorization, value: Bearer abc}, {name: Accept, value: text/html}]}, odd: {token: abc}, url: "http://me:pw@h/"}`)
	want := `{"http":{"headers":[{"name":"Authorization","value":"***"},{"name":"Accept","value":"text/html"}]},"login":{"password":"file:/s/p","user":"u"},"name":"web","odd":{"token":"***"},"type":"http","url":"http://***@h/"}`
	if got := string(o.Masked()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if strings.Contains(string(o.MaskedYAML()), "abc") {
		t.Errorf("YAML shows it:\n%s", o.MaskedYAML())
	}
	back, err := NewObject(ObjectMonitor, "web", o.Masked())
	if err != nil {
		t.Fatal(err)
	}
	if whole, err := back.Unmask(o); err != nil || whole.Hash() != o.Hash() {
		t.Errorf("put back: %v, %s", err, whole.Text())
	}
	if _, err := back.Unmask(nil); err == nil {
		t.Error("*** was taken for a secret")
	}
	other := object(t, "monitor/web", strings.Replace(string(o.Text()), "Bearer abc", "Bearer xyz", 1))
	if text := DiffText(o, other); strings.Contains(text, "xyz") || strings.Contains(text, "abc") || text == "" {
		t.Errorf("difference of a secret:\n%s", text)
	}
}

func TestDiffText(t *testing.T) {
	a := object(t, "service/web", "site: ams\nport: 80\nmonitors: [a, b]\naddresses: [192.0.2.1]")
	b := object(t, "service/web", "site: ams\nport: 81\nmonitors: [a, b]\naddresses: [192.0.2.1]\ncost: 3")
	want := `--- service/web
+++ service/web
@@ -1,5 +1,6 @@
 name: web
 site: ams
 addresses: [192.0.2.1]
-port: 80
+port: 81
 monitors: [a, b]
+cost: 3
`
	if got := DiffText(a, b); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if got := DiffText(a, a); got != "" {
		t.Errorf("of the same: %s", got)
	}
	if got := DiffText(nil, a); !strings.HasPrefix(got, "--- /dev/null\n+++ service/web\n@@ -0,0 +1,5 @@\n+name: web\n") {
		t.Errorf("of an added one:\n%s", got)
	}
	long := func(n string) *Object {
		return NewFile("z", []byte(strings.Repeat("same\n", 20)+n+"\n"+strings.Repeat("same\n", 20)+n+"\n"))
	}
	if got := DiffText(long("x"), long("y")); strings.Count(got, "@@ -") != 2 || !strings.Contains(got, "@@ -18,7 +18,7 @@") {
		t.Errorf("two places:\n%s", got)
	}
	objects := NewObjects([]*Object{a, NewFile("z", nil)})
	diff := Diff(objects, objects.With([]*Object{b, NewFile("y", nil)}, []ObjectKey{{ObjectFile, "z"}}))
	if len(diff) != 3 || diff[0].Key != a.Key() || diff[1].After == nil || diff[1].Before != nil || diff[2].After != nil {
		t.Errorf("difference of documents: %v", diff)
	}
}

// TestYAMLOfAnyText writes texts that YAML could take for something else.
func TestYAMLOfAnyText(t *testing.T) {
	for _, text := range []string{"", "yes", "No", "null", "~", "1", "1.5", "0x1", "1e3", "2001-01-01", "a: b", "- a", "#", "a #b", "*x", "&x", "!x", "%", "@", "`", "'", `"`, "a\nb", "a\nb\n",
		"a\n\n", "\na", " a", "a ", "a\n b\n", " a\nb", "a \nb", "\ta", "a\tb", "a\r\nb", "\u0085", "\u2028", "\ufeff", "\u007f", "é😀", "[", "{", "?", ":", "a:", "-", "---", "...", "<<", "=", ".inf", "+1", "0o7", "1_000", "12:30", "10s", "192.0.2.1", "1.2.3",
		"on", "y", "N", "true", "...\na", "---\na\n", "|", ">", "a,b", "a\n\tb", "\x00", "\x1b[31m"} {
		o := newObjectOf(ObjectKey{ObjectService, "web"}, &node{kind: kindMapping, entries: []entry{
			{key: textNode("name"), value: textNode("web")}, {key: textNode("k"), value: textNode(text)},
			{key: textNode("l"), value: &node{kind: kindSequence, items: []*node{textNode(text), textNode("x")}}}, {key: textNode("z" + text), value: textNode("v")}}}, func(*node, *trail, finding) {})
		again, err := NewObject(ObjectService, "web", o.YAML())
		if err != nil || !bytes.Equal(again.Text(), o.Text()) {
			t.Errorf("%q came back as %v, %v:\n%s", text, again, err, o.YAML())
		}
	}
}

func TestLabelsOfObject(t *testing.T) {
	if got := object(t, "service/web", "labels: {team: web, n: 5}").Labels(); len(got) != 1 || got["team"] != "web" {
		t.Errorf("got %v", got)
	}
	if got := NewFile("f", []byte("labels: {a: b}")).Labels(); got != nil {
		t.Errorf("a file has %v", got)
	}
}

func FuzzNewObject(f *testing.F) {
	for _, text := range []string{"site: ams", `{"a": [1, 2.50, "x\ud83d\ude00"], "b": {"c": null}}`, "a: &x [1]\nb: *x", "name: web\ntext: |\n  a\n   b\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		o, err := NewObject(ObjectService, "web", text)
		if err != nil {
			return
		}
		if again, err := ObjectFromCanonical(o.Key(), o.Text()); err != nil || again.Hash() != o.Hash() {
			t.Fatalf("%s is not canonical: %v", o.Text(), err)
		}
		if again, err := NewObject(ObjectService, "web", o.YAML()); err != nil || again.Hash() != o.Hash() {
			t.Fatalf("YAML of %s: %v\n%s", o.Text(), err, o.YAML())
		}
		if whole, err := o.Unmask(o); err != nil || whole.Hash() != o.Hash() {
			t.Fatalf("%s is not what it was: %v", o.Text(), err)
		}
	})
}

func FuzzMergePatch(f *testing.F) {
	f.Add([]byte("a: {b: 1}\nc: 2"), []byte(`{"a": {"b": null, "d": []}}`))
	f.Fuzz(func(t *testing.T, text, patch []byte) {
		o, err := NewObject(ObjectService, "web", text)
		if err != nil {
			return
		}
		patched, err := MergePatch(o, patch)
		if err != nil {
			return
		}
		if _, err := ObjectFromCanonical(patched.Key(), patched.Text()); err != nil {
			t.Fatal(err)
		}
		if twice, err := MergePatch(patched, patch); err != nil || twice.Hash() != patched.Hash() {
			t.Fatalf("patching twice is not patching once: %s, %s, %v", patched.Text(), twice.Text(), err)
		}
	})
}

func FuzzObjects(f *testing.F) {
	f.Add([]byte(lenientBase))
	f.Add([]byte(manyRelations))
	f.Add([]byte("sites: [{name: a, address: 192.0.2.1}]\nservices: [{name: b, site: c}, 7, {}]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		objects, report := Source{Text: text, Files: map[string][]byte{"f": []byte("@ A 192.0.2.1")}}.Objects()
		if report.Errors() > 0 {
			return
		}
		again, report := objects.Source().Objects()
		if err := report.Err(); err != nil || again.ID() != objects.ID() {
			t.Fatalf("its own text: %v\n%s", err, objects.Source().Text)
		}
		if doc, report := Assemble(objects, AssembleOptions{Lenient: true}); doc != nil && report.Errors() > 0 {
			t.Fatal(report.Err())
		}
		if doc, report := Assemble(objects, AssembleOptions{}); (doc == nil) != (report.Errors() > 0) {
			t.Fatal(report.Err())
		}
	})
}
