package source

import (
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/monitors/metric"
)

func TestExposition(t *testing.T) {
	tests := []struct{ name, page, want string }{
		{"plain", "# HELP a x\n# TYPE a gauge\na 1\nb{x=\"y\"} 2.5\n", `a{} 1; b{x="y"} 2.5`},
		{"timestamps", "a 1 1395066363000\nb{x=\"y\"}\t2\t-3\n", `a{} 1; b{x="y"} 2`},
		{"openmetrics", "a_total 1 1.5 # {trace=\"7\"} 0.5 2.5\nb_bucket{le=\"+Inf\"} 3 # {a=\"}\"} 1\n# EOF\n", `a_total{} 1; b_bucket{le="+Inf"} 3`},
		{"escapes", `a{x="p\"q\\r\ns",y=""} 1`, `a{x="p\"q\\r\ns",y=""} 1`},
		{"spaces and commas", "  a  {  x = \"1\" , y=\"2\" , }  3  \r\n\n", `a{x="1",y="2"} 3`},
		{"numbers of all kinds", "a +Inf\na -Inf\na NaN\na 0x1p4\na 1e3\na 1e999\n", `a{} +Inf; a{} -Inf; a{} NaN; a{} 16; a{} 1000; a{} +Inf`},
		{"brace in a value", `a{x="}{"} 1`, `a{x="}{"} 1`},
		{"quoted name", `{"a.b",x="1"} 2` + "\n" + `{x="1","a.c"} 3`, `a.b{x="1"} 2; a.c{x="1"} 3`},
		{"quoted label", `a{"x.y"="1"} 2`, `a{x.y="1"} 2`},
		{"no newline at the end", "a 1", "a{} 1"},
		{"nothing", "", ""},
		{"comments only", "# EOF", ""},
		{"html", "<html>", `line 1 of the metrics: "<html>" is not a sample`},
		{"no value", "a 1\na\n", `line 2 of the metrics: "a" is not a sample`},
		{"no value behind labels", `a{x="y"}`, `value "" is not a number`},
		{"word", "a up\n", `value "up" is not a number`},
		{"open labels", `a{x="y"`, "labels are not closed"},
		{"open value", `a{x="y} 1`, "the value of a label is not closed"},
		{"escape at the end", `a{x="\`, "the value of a label is not closed"},
		{"label without a value", `a{x} 1`, `label "x" has no value`},
		{"value without quotes", `a{x=1} 1`, "not in double quotes"},
		{"label without a name", `a{="1"} 1`, "a label has no name"},
		{"quoted name alone is none", `{x="1"} 1`, "a sample without a name"},
		{"many labels", "a{" + strings.Repeat(`x="1",`, 65) + "} 1", "more than 64 labels"},
		{"long line", "a 1\n# " + strings.Repeat("x", 1<<17), "line 2 of the metrics is above 64 KiB"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			err := eachSample(strings.NewReader(tt.page), func([]byte) bool { return true }, func(s *sample) error {
				var labels []string
				for _, l := range s.labels {
					labels = append(labels, fmt.Sprintf("%s=%q", l.name, l.value))
				}
				got = append(got, fmt.Sprintf("%s{%s} %v", s.name, strings.Join(labels, ","), s.value))
				return nil
			})
			text := strings.Join(got, "; ")
			if err != nil {
				if text = err.Error(); !strings.Contains(text, tt.want) || tt.want == "" {
					t.Errorf("error %v, want %q", err, tt.want)
				}
				return
			}
			if text != tt.want {
				t.Errorf("got  %s\nwant %s", text, tt.want)
			}
		})
	}
}

// TestUnwantedSamples: what nobody asked for is not looked at, be it as wrong as it may.
func TestUnwantedSamples(t *testing.T) {
	n := 0
	err := eachSample(strings.NewReader("a{x= broken\nb 7\na 1\n"), func(name []byte) bool { return string(name) == "b" }, func(s *sample) error {
		n += int(s.value)
		return nil
	})
	if n != 7 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

const openMetricsPage = `# TYPE http_connections gauge
http_connections{instance="a",state="active"} 4
http_connections{instance="b",state="active"} 5
http_connections{instance="a",state="idle"} 100
http_connections{instance="c",state="active"} NaN
# TYPE http_request_duration_seconds summary
http_request_duration_seconds_sum{handler="/a"} 3
http_request_duration_seconds_sum{handler="/b"} 4
http_request_duration_seconds_count{handler="/a"} 30
http_request_duration_seconds_count{handler="/b"} 40
latency_seconds{instance="a"} 0.5
latency_seconds{instance="b"} 0.1
negative -1
nan NaN
inf +Inf
# EOF
`

func TestOpenMetrics(t *testing.T) {
	tests := []struct {
		name   string
		fields config.LoadFields
		custom []config.CustomMetric
		want   string
	}{
		{"sum of what is selected", config.LoadFields{Active: `http_connections{state="active"}`}, nil, "active 9"},
		{"one of them", config.LoadFields{Active: `http_connections{state="active",instance=~"a|x"}`}, nil, "active 4"},
		{"all but", config.LoadFields{Active: `http_connections{instance!~"c",state!="idle"}`}, nil, "active 9"},
		{"the mean of times", config.LoadFields{ResponseTimeSeconds: "latency_seconds"}, nil, "response_time 0.3"},
		{"milliseconds", config.LoadFields{ResponseTimeMS: `latency_seconds{instance="a"}`}, nil, "response_time 0.0005"},
		{"sum and count", config.LoadFields{RequestsTotal: "http_request_duration_seconds_count", ResponseSecondsTotal: "http_request_duration_seconds_sum"}, nil,
			"requests_total 70, response_seconds_total 7"},
		{"custom parts", config.LoadFields{Active: "none"}, []config.CustomMetric{{Path: `http_connections{state="idle"}`}, {Metric: "active"}, {Path: "nan"}},
			"part 0 100, lacks: no sample is none"},
		{"NaN", config.LoadFields{Active: "nan"}, nil, "error: nan is not a number (NaN)"},
		{"negative", config.LoadFields{Active: "negative", Capacity: "http_connections"}, nil, "capacity 109, lacks: negative is -1, not between 0 and 2^53"},
		{"infinite", config.LoadFields{Active: "inf", Capacity: "http_connections"}, nil, "capacity 109, lacks: inf is +Inf, not between 0 and 2^53"},
		{"not there", config.LoadFields{Active: "none"}, nil, "error: no sample is none"},
		{"bad selector", config.LoadFields{Active: "{}"}, nil, `error: selector "{}" does not begin with the name of a metric`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, err := readOpenMetrics(strings.NewReader(openMetricsPage), &config.LoadSource{Source: config.LoadOpenMetrics, Fields: tt.fields, Custom: tt.custom})
			got := shown(&a)
			if err != nil {
				got = "error: " + err.Error()
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestSampleTimestamps: what somebody passes on of a source that fell silent does not count for ever.
func TestSampleTimestamps(t *testing.T) {
	now := time.Now().Unix()
	tests := []struct {
		name, page string
		want       string // active; or the beginning of the error
	}{
		{"none", "a 4\n", "4"},
		{"milliseconds", fmt.Sprintf("a 4 %d\n", (now-60)*1000), "4"},
		{"milliseconds, too old", fmt.Sprintf("a 4 %d\n", (now-600)*1000), "a is 10m"},
		{"seconds", fmt.Sprintf("a 4 %d.5 # {x=\"1\"} 1 1\n", now-60), "4"},
		{"seconds, too old", fmt.Sprintf("a 4 %d.5\n", now-600), "a is 10m"},
		{"ahead", fmt.Sprintf("a 4 %d\n", (now+7200)*1000), "4"},
		{"one of two is too old", fmt.Sprintf("a{x=\"1\"} 4 %d\na{x=\"2\"} 3 %d\n", (now-600)*1000, (now-6)*1000), "3"},
		{"an exemplar is none", "a 4 # {x=\"1\"} 1 1\n", "4"},
		{"no number", "a 4 NaN\n", "4"},
		{"not after 1970", "a 4 -3\n", "4"},
		{"huge", "a 4 1e300\n", "4"},
		{"1970", "a 4 1\n", "a is 4"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, err := readOpenMetrics(strings.NewReader(tt.page), &config.LoadSource{Source: config.LoadOpenMetrics, Fields: config.LoadFields{Active: "a"}})
			active, _ := a.Get(metric.Active)
			got := fmt.Sprint(active)
			if err != nil {
				got = err.Error()
			}
			if got != tt.want && (err == nil || !strings.HasPrefix(got, tt.want)) {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// TestTotalsOfTheSilent: a total neither falls when one of those that it adds up falls silent, nor jumps when that one is back; without any that
// is young it is not told.
func TestTotalsOfTheSilent(t *testing.T) {
	now := time.Now().Unix()
	src := &config.LoadSource{Source: config.LoadOpenMetrics, Fields: config.LoadFields{Active: "a", BytesTotal: "b"}}
	page := func(second int64) string {
		return fmt.Sprintf("a 1\nb{x=\"1\"} 400 %d\nb{x=\"2\"} 300 %d\nb{x=\"3\"} NaN %d\n", (now-6)*1000, second*1000, second*1000)
	}
	for name, tt := range map[string]struct{ page, want string }{
		"all are young": {page(now - 6), "active 1, bytes_total 700"},
		"one is silent": {page(now - 600), "active 1, bytes_total 700"},
		"all are":       {fmt.Sprintf("a 1\nb 400 %d\n", (now-600)*1000), "active 1, lacks: b is 10m"},
	} {
		got, err := readOpenMetrics(strings.NewReader(tt.page), src)
		if err != nil {
			t.Fatal(err)
		}
		if s := shown(&got); !strings.HasPrefix(s, tt.want) {
			t.Errorf("%s: got  %s\nwant %s", name, s, tt.want)
		}
	}
}

func TestPrometheusAnswer(t *testing.T) {
	tests := []struct {
		name   string
		status int
		body   string
		want   string
	}{
		{"vector", 200, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"job":"a"},"value":[1435781451.781,"12.5"]}]}}`, "12.5"},
		{"scalar", 200, `{"status":"success","data":{"resultType":"scalar","result":[1435781451.781,"3"]}}`, "3"},
		{"nothing", 200, `{"status":"success","data":{"resultType":"vector","result":[]}}`, `missing: query "up" gives 0 series, want 1: put sum() or the like around it`},
		{"two", 200, `{"status":"success","data":{"resultType":"vector","result":[{"value":[1,"1"]},{"value":[1,"2"]}]}}`, `missing: query "up" gives 2 series, want 1: put sum() or the like around it`},
		{"NaN", 200, `{"status":"success","data":{"resultType":"scalar","result":[1,"NaN"]}}`, `missing: query "up" gives "NaN", want a number from 0`},
		{"infinite", 200, `{"status":"success","data":{"resultType":"scalar","result":[1,"+Inf"]}}`, `missing: query "up" gives "+Inf", want a number from 0`},
		{"negative", 200, `{"status":"success","data":{"resultType":"scalar","result":[1,"-1"]}}`, `missing: query "up" gives "-1", want a number from 0`},
		{"matrix", 200, `{"status":"success","data":{"resultType":"matrix","result":[]}}`, `missing: query "up" gives a matrix, want one number`},
		{"refused", 400, `{"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:3: parse error"}`, `missing: query "up": invalid parameter "query": 1:3: parse error`},
		{"not allowed", 401, `{"status":"error","error":"no"}`, "status 401, want 200"},
		{"overloaded", 503, `{"status":"error","error":"query timed out"}`, "status 503, want 200"},
		{"html", 200, "<html>", `answer is not one of Prometheus' query API but starts with "<html>"`},
		{"something else", 200, `{"status": 1}`, "answer is not one of Prometheus' query API"},
		{"no value", 200, `{"status":"success","data":{"resultType":"vector","result":[{}]}}`, `result of query "up" is not a number`},
		{"number without quotes", 200, `{"status":"success","data":{"resultType":"scalar","result":[1,2]}}`, `result of query "up" is not a number`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, err := readQuery(tt.status, strings.NewReader(tt.body), "up")
			got := fmt.Sprint(v)
			if err != nil {
				if got = err.Error(); isMissing(err) {
					got = "missing: " + got
				}
			}
			if got != tt.want && (err == nil || isMissing(err) || !strings.HasPrefix(got, tt.want)) {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func isMissing(err error) bool {
	_, ok := err.(errQuery)
	return ok
}

func FuzzExposition(f *testing.F) {
	f.Add(openMetricsPage, `http_connections{state="active"}`)
	f.Add(`{"a.b",x="1"} 2`, "a")
	f.Add("a{x=\"\\", "a")
	f.Fuzz(func(t *testing.T, page, selector string) {
		a, err := readOpenMetrics(io.MultiReader(strings.NewReader(page)), &config.LoadSource{Fields: config.LoadFields{Active: selector}})
		if err == nil && a.Metrics.Check() != nil {
			t.Errorf("%q: %v", page, a.Metrics.Check())
		}
		_ = eachSample(strings.NewReader(page), func([]byte) bool { return true }, func(s *sample) error {
			if len(s.labels) > maxLabels || math.IsNaN(s.value) && !strings.ContainsAny(page, "Nn") {
				t.Errorf("%q: %d labels, %v", page, len(s.labels), s.value)
			}
			return nil
		})
	})
}

func FuzzPrometheusAnswer(f *testing.F) {
	f.Add(200, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"job":"a"},"value":[1435781451.781,"12.5"]}]}}`)
	f.Add(400, `{"status":"error","error":"x"}`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		if v, err := readQuery(status, strings.NewReader(body), "up"); err == nil && !(v >= 0 && v <= math.MaxFloat64) {
			t.Errorf("%q: %v", body, v)
		}
	})
}

// BenchmarkExposition reads a page of a megabyte, of which four samples are wanted.
func BenchmarkExposition(b *testing.B) {
	var page strings.Builder
	for i := 0; page.Len() < 1<<20; i++ {
		fmt.Fprintf(&page, "haproxy_server_bytes_out_total{proxy=\"backend-%d\",server=\"server-%d\"} %d\n", i/10, i%10, i)
	}
	page.WriteString(openMetricsPage)
	src := &config.LoadSource{Fields: config.LoadFields{Active: `http_connections{state="active"}`}}
	text := page.String()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := readOpenMetrics(strings.NewReader(text), src); err != nil {
			b.Fatal(err)
		}
	}
}
