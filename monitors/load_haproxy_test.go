package monitors

import (
	"strings"
	"testing"
)

// haproxyPage has the form of a statistics page, with its first columns only.
const haproxyPage = `# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis,status,
web,FRONTEND,,,7,12,262122,1034,88211,921180,0,0,3,,,,,OPEN,
web,web1,0,0,2,5,,511,44100,460200,,0,,0,0,0,0,UP,
web,web2,0,0,3,7,,520,44111,460980,,0,,0,0,0,0,UP,
web,BACKEND,0,0,5,12,26213,1031,88211,921180,0,0,,0,0,0,0,UP,
"api, v2",BACKEND,0,0,41,60,26213,99,1,1,0,0,,0,0,0,0,UP,
odd,BACKEND,0,0,,60,26213,99,1,1,0,0,,0,0,0,0,UP,
huge,BACKEND,0,0,18446744073709551615,60,26213,99,1,1,0,0,,0,0,0,0,UP,

`

func TestHAProxySessions(t *testing.T) {
	tests := []struct {
		name, page, backend string
		want                uint64
		err                 string // a part of the error
	}{
		{"backend row counts", haproxyPage, "web", 5, ""},
		{"quoted name", haproxyPage, "api, v2", 41, ""},
		{"line ends of Windows", strings.ReplaceAll(haproxyPage, "\n", "\r\n"), "web", 5, ""},
		{"byte order mark", "\ufeff" + haproxyPage, "web", 5, ""},
		{"columns in another order", "#scur,svname,new,pxname\n9,BACKEND,x,web\n", "web", 9, ""},
		{"short rows are passed over", "# pxname,svname,scur\nweb\nweb,BACKEND\nweb,BACKEND,4\n", "web", 4, ""},
		{"no such backend", haproxyPage, "shop", 0, `no BACKEND row for "shop"; there are: web, api, v2, odd, huge`},
		{"many others", "# pxname,svname,scur\n" + manyBackends(9), "shop", 0, `there are: b0, b1, b2, b3, b4, ...`},
		{"server of that name only", "# pxname,svname,scur\nweb,web1,4\n", "web", 0, `no BACKEND row for "web", nor any other`},
		{"empty count", haproxyPage, "odd", 0, `scur of backend "odd" is "", want a count`},
		{"count out of range", haproxyPage, "huge", 0, `scur of backend "huge" is "18446744073709551615"`},
		{"negative count", "# pxname,svname,scur\nweb,BACKEND,-4\n", "web", 0, `scur of backend "web" is "-4"`},
		{"no column", "# pxname,svname,smax\nweb,BACKEND,4\n", "web", 0, "lacks one of the columns"},
		{"HTML page", "<!DOCTYPE html>\n<html>", "web", 0, `starts with "<!DOCTYPE html>": does the url end in ;csv?`},
		{"nothing", "", "web", 0, `starts with "": does the url end in ;csv?`},
		{"header only", "#", "web", 0, "read CSV header"},
		{"quote never closed", "# pxname,svname,scur\nweb,\"BACKEND,4\n", "web", 0, `no BACKEND row for "web"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := haproxySessions([]byte(tt.page), tt.backend)
			switch {
			case tt.err == "" && err != nil:
				t.Errorf("error %v, want %d", err, tt.want)
			case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
				t.Errorf("got %d, error %v, want an error with %q", got, err, tt.err)
			case got != tt.want:
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

func manyBackends(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("b" + string(rune('0'+i)) + ",BACKEND,1\n")
	}
	return b.String()
}

func FuzzHAProxySessions(f *testing.F) {
	f.Add([]byte(haproxyPage), "web")
	f.Add([]byte("# pxname,svname,scur\nweb,\"BACK\"END,4\n"), "web")
	f.Fuzz(func(t *testing.T, page []byte, backend string) {
		n, err := haproxySessions(page, backend)
		if err == nil && (n > MaxActive || !strings.Contains(string(page), "BACKEND")) {
			t.Errorf("%q of %q: got %d", backend, page, n)
		}
	})
}
