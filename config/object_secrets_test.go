package config

import (
	"strings"
	"testing"
)

// TestWhatIsMasked: secrets are hidden wherever they stand, and nothing else is.
func TestWhatIsMasked(t *testing.T) {
	for _, c := range []struct{ name, key, text, shown string }{
		{"a header that lets in", "monitor/m", `{http: {headers: [{name: Authorization, value: Bearer hush}]}}`, `"value":"***"`},
		{"of any case", "monitor/m", `{http: {headers: [{name: proxy-AUTHORIZATION, value: hush}]}}`, `"value":"***"`},
		{"a cookie", "monitor/m", `{http: {headers: [{name: Cookie, value: sid=hush}]}}`, `"value":"***"`},
		{"an API key", "service/s", `{load: {headers: [{name: X-Api-Key, value: hush}]}}`, `"value":"***"`},
		{"a token", "service/s", `{load: {headers: [{name: X-Auth-Token, value: hush}]}}`, `"value":"***"`},
		{"a vendor's authentication", "service/s", `{load: {headers: [{name: X-Auth, value: hush}]}}`, `"value":"***"`},
		{"a user in an address", "service/s", `{load: {url: "http://u:hush@h/x"}}`, `"url":"http://***@h/x"`},
		{"in a list of texts", "service/s", `{later: ["http://u:hush@h/x", plain]}`, `"later":["http://***@h/x","plain"]`},
		{"one with another spelling", "service/s", `{load: {url: "http://h/x?api_key=hush"}}`, `"url":"http://h/x?api_key=***"`},
		{"a parameter of an address", "service/s", `{load: {url: "http://h/x?a=1&access_token=hush&b=2"}}`, `"url":"http://h/x?a=1&access_token=***&b=2"`},
		{"of a path", "monitor/m", `{http: {path: "/health?apikey=hush"}}`, `"path":"/health?apikey=***"`},
		{"in a list of paths", "monitor/m", `{later: ["/x?secret=hush#f"]}`, `"later":["/x?secret=***#f"]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := object(t, c.key, c.text)
			for form, got := range map[string]string{"JSON": string(o.Masked()), "YAML": string(o.MaskedYAML()), "diff": DiffText(nil, o),
				"document": string(NewObjects([]*Object{o}).Masked().Get(o.Key()).Text())} {
				if strings.Contains(got, "hush") {
					t.Errorf("%s shows it: %s", form, got)
				}
			}
			if got := string(o.Masked()); !strings.Contains(got, c.shown) || !o.HasSecrets() {
				t.Errorf("got %s, want %s in it", got, c.shown)
			}
			back := object(t, c.key, string(o.Masked()))
			if whole, err := back.Unmask(o); err != nil || whole.Hash() != o.Hash() {
				t.Errorf("written back: %v, %v", whole, err)
			}
			if whole, err := back.Unmask(nil); err == nil {
				t.Errorf("written to where it was not: %s", whole.Text())
			}
		})
	}
	for _, open := range []struct{ key, text string }{
		{"zone/example.org", `{records: 'a 60 TXT "http://u:p@h/?token=x"'}`},
		{"service/s", `{load: {url: "http://h/x?a=1", headers: [{name: Accept, value: text/html}]}, labels: {team: web}}`},
	} {
		if o := object(t, open.key, open.text); o.HasSecrets() || string(o.Masked()) != string(o.Text()) {
			t.Errorf("%s is hidden: %s", open.text, o.Masked())
		}
	}
}

// TestMaskIsNoValue: who changes what stands around a hidden secret does not get it elsewhere, and does not write the mask.
func TestMaskIsNoValue(t *testing.T) {
	old := object(t, "service/s", `{load: {url: "http://u:hush@good/?token=hush2", custom: ["http://a:b@one/", "http://c:d@one/", "http://e:f@two/"]}}`)
	for _, c := range []struct{ name, text, want string }{
		{"another host", `{load: {url: "http://***@evil/?token=***"}}`, ""},
		{"one of two written out", `{load: {url: "http://u:other@good/?token=***"}}`, ""},
		{"a list that may mean either", `{load: {custom: ["http://***@two/", "http://***@one/", "http://***@one/"]}}`, ""},
		{"a list with one gone", `{load: {custom: ["http://***@two/"]}}`, `"http://e:f@two/"`},
		{"a list in its order", `{load: {custom: ["http://***@one/", "http://***@one/"]}}`, `["http://a:b@one/","http://c:d@one/"]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := object(t, "service/s", c.text).Unmask(old)
			if c.want == "" {
				if err == nil || !strings.Contains(err.Error(), "***") {
					t.Errorf("got %v, %v; want it refused", got, err)
				}
				return
			}
			if err != nil || !strings.Contains(string(got.Text()), c.want) {
				t.Errorf("got %v, %v; want %s", got, err, c.want)
			}
		})
	}
}
