package source

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"fairlead/config"
	"fairlead/monitors/metric"
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
		{"HTML page", "<!DOCTYPE html>\n<html>", "web", 0, `starts with "<!DOCTYPE html>": does the url end in ;csv, ;json or`},
		{"nothing", "", "web", 0, `starts with "": does the url end in ;csv, ;json or`},
		{"header only", "#", "web", 0, "read CSV header"},
		{"quote never closed", "# pxname,svname,scur\nweb,\"BACKEND,4\n", "web", 0, `no BACKEND row for "web"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := haproxySessions(tt.page, tt.backend)
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

func haproxySessions(page, backend string) (uint64, error) {
	got, err := readHAProxy(strings.NewReader(page), &config.LoadSource{Source: config.LoadHAProxy, Backend: backend})
	n, _ := got.Get(metric.Active)
	return uint64(n), err
}

// haproxyColumns are the columns of HAProxy 3.0 that are read here, in its order.
const haproxyColumns = "# pxname,svname,qcur,scur,slim,stot,bin,bout,status,weight,act,bck,type,rate,req_rate,req_tot,qtime,ctime,rtime,ttime,mode,\n"

func TestHAProxyMetrics(t *testing.T) {
	const servers = "web,web1,0,2,100,511,44100,460200,UP,5,1,0,2,0,,510,0,1,20,90,http,\n" +
		"web,web2,0,3,200,520,44111,460980,UP 1/3,5,1,0,2,0,,519,0,1,22,91,http,\n" +
		"web,web3,0,0,400,0,0,0,DOWN,5,1,0,2,0,,0,0,0,0,0,http,\n" +
		"web,spare,0,0,1000,0,0,0,UP,5,0,1,2,0,,0,0,0,0,0,http,\n"
	tests := []struct {
		name, rows string
		want       string
	}{
		{"http", servers + "web,BACKEND,4,5,26213,1031,88211,921180,UP,10,2,1,1,3,,1029,2,1,21,90,http,\n",
			"active 5 requests_total 1029 bytes_total 1009391 response_time 0.024 members 2 member_weight 10 capacity 300 qcur 4"},
		{"tcp", "web,web1,0,2,,511,44100,460200,no check,1,1,0,2,0,,,0,1,0,90,tcp,\nweb,BACKEND,0,5,26213,1031,88211,921180,UP,1,1,0,1,3,,,0,1,0,90,tcp,\n",
			"active 5 requests_total 1031 bytes_total 1009391 members 1 member_weight 1 qcur 0"},
		{"the backup server alone", "web,BACKEND,0,5,26213,1031,88211,921180,UP,1,0,1,1,3,,0,0,0,0,0,http,\n",
			"active 5 requests_total 0 bytes_total 1009391 members 1 member_weight 1 qcur 0"},
		{"all down", "web,web1,0,0,100,0,0,0,DOWN,1,1,0,2,0,,0,0,0,0,0,http,\nweb,BACKEND,,0,26213,1031,88211,921180,DOWN,0,0,0,1,3,,7,0,0,3,0,http,\n",
			"active 0 requests_total 7 bytes_total 1009391 response_time 0.003 members 0 member_weight 0 " +
				`lacks backend "web" has no number in column "qcur"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			src := &config.LoadSource{Source: config.LoadHAProxy, Backend: "web", Custom: []config.CustomMetric{{Metric: config.MetricActive}, {Path: "qcur"}}}
			a, err := readHAProxy(strings.NewReader(haproxyColumns+"web,FRONTEND,,9,,,1,1,OPEN,,,,0,,,,,,,,http,\n"+tt.rows), src)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, m := range []metric.Metric{metric.Active, metric.RequestsTotal, metric.BytesTotal, metric.ResponseTime, metric.Members, metric.MemberWeight, metric.Capacity, metric.Requests, metric.Bandwidth} {
				if v, ok := a.Get(m); ok {
					got = append(got, m.String()+" "+strconv.FormatFloat(v, 'f', -1, 64))
				}
			}
			if a.Parts[1].Told {
				got = append(got, fmt.Sprint("qcur ", a.Parts[1].Value))
			}
			if a.Lacks != nil {
				got = append(got, "lacks "+a.Lacks.Error())
			}
			if all := strings.Join(got, " "); all != tt.want {
				t.Errorf("got  %s\nwant %s", all, tt.want)
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
		n, err := haproxySessions(string(page), backend)
		if err == nil && (n > metric.MaxActive || !strings.Contains(string(page), "BACKEND")) {
			t.Errorf("%q of %q: got %d", backend, page, n)
		}
	})
}
