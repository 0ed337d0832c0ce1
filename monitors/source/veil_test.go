package source

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/monitors/reason"
)

// TestSecretsAreShownNowhere: a server that repeats what it was sent has none of it shown, whatever kind it is read as and wherever it
// puts it.
func TestSecretsAreShownNowhere(t *testing.T) {
	const password, token, header = "Zq7x\"yw-1", "Tk0123456789-0123456789", "Hk0123456789"
	basic := base64.StdEncoding.EncodeToString([]byte("probe:" + password))
	secrets := map[config.Secret]string{"env:PASSWORD": password, "env:TOKEN": token, "env:HEADER": header}
	for _, place := range []string{"%s", "# %s\n", "up %s\n", "[%s", `{"a": "%s"}`, `{"status": "error", "error": "%s"}`, "Active connections: %s", "status line"} {
		for _, repeated := range []string{password, token, header, basic} {
			if place[0] == '{' {
				repeated = strings.ReplaceAll(repeated, `"`, `\"`)
			}
			server := httptest.NewServer(repeating(place, repeated))
			defer server.Close()
			for _, src := range webKinds {
				src.URL, src.Headers = server.URL, []config.ProbeHeader{{Name: "X-Key", Secret: "env:HEADER"}}
				src.Login = &config.ProbeLogin{User: "probe", Password: "env:PASSWORD"}
				if repeated == token {
					src.Login, src.Token = nil, "env:TOKEN"
				}
				r := New(Options{Secret: func(s config.Secret) (string, error) { return secrets[s], nil }})
				got, err := r.Read(t.Context(), &Target{Service: "web", Source: src})
				r.Close()
				said := fmt.Sprint(got.Lacks, got.Notes)
				if err != nil {
					said = err.Error() + reason.Describe(err, time.Now(), time.Second)
				}
				for _, secret := range []string{password[:leastCut], token[:leastCut], header[:leastCut], basic[:leastCut]} {
					if strings.Contains(said, secret) {
						t.Errorf("%s, %q: got %s", src.Source, place, said)
					}
				}
			}
		}
	}
}

// repeating answers with a text at a place.
func repeating(place, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if place != "status line" {
			fmt.Fprintf(w, place, text)
			return
		}
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprintf(conn, "HTTP/1.1 200 %s\r\nContent-Length: 8\r\n\r\n", text)
		io.WriteString(conn, `{"a": 1}`)
	}
}

// TestVeil: what is cut off is hidden, too, and the kind of an error stays.
func TestVeil(t *testing.T) {
	ctx, v := withVeil(t.Context())
	hide(ctx, "")
	hide(ctx, "abcdefgh")
	hide(ctx, `ab"cdef`)
	for _, c := range []struct{ text, want string }{
		{"nothing", "nothing"},
		{`starts with "xabcdefghx"`, `starts with "x***x"`},
		{`starts with "x abcdefg"...`, `starts with "x ***"...`},
		{`says x abcde...`, `says x ***...`},
		{`says abc...`, `says abc...`},
		{`starts with "ab\"cdef"`, `starts with "***"`},
		{`starts with "ab\"c"...`, `starts with "***"...`},
	} {
		if got := v.text(c.text); got != c.want {
			t.Errorf("%q: got %q, want %q", c.text, got, c.want)
		}
	}
	kind := errors.New("abcdefgh")
	err := v.error(reason.During(reason.Connect, fmt.Errorf("what: %w", kind)))
	if !errors.Is(err, kind) || reason.Describe(err, time.Now(), time.Second) != "what: ***" {
		t.Errorf("got %v", err)
	}
	if err := v.error(nil); err != nil {
		t.Errorf("got %v", err)
	}
}
