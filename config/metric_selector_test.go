package config

import (
	"strings"
	"testing"
)

func TestMetricSelector(t *testing.T) {
	tests := []struct {
		name, text string
		labels     string // name=value, comma separated, of a sample
		want       bool
		err        string
	}{
		{"name alone", "up", "", true, ""},
		{"no labels", " up { } ", "", true, ""},
		{"equal", `up{job="a"}`, "job=a", true, ""},
		{"equal, other", `up{job="a"}`, "job=b", false, ""},
		{"absent label is empty", `up{job=""}`, "", true, ""},
		{"not equal", `up{job!="a"}`, "", true, ""},
		{"not equal, equal", `up{job!="a"}`, "job=a", false, ""},
		{"pattern", `up{job=~"a|b"}`, "job=b", true, ""},
		{"pattern matches the whole", `up{job=~"a|b"}`, "job=ab", false, ""},
		{"not pattern", `up{job!~"a.*"}`, "job=abc", false, ""},
		{"spaces and comma at the end", `up { job = "a" , zone =~ "\d+" , }`, "job=a,zone=12", true, ""},
		{"escapes", `up{job="a\"\\\n"}`, "job=a\"\\\n", true, ""},
		{"empty", "", "", false, "does not begin with the name"},
		{"label first", `{job="a"}`, "", false, "does not begin with the name"},
		{"junk behind the name", `up[5m]`, "", false, "want {"},
		{"no operator", `up{job}`, "", false, "want =, !=, =~ or !~ after label job"},
		{"no quote", `up{job=a}`, "", false, "not in double quotes"},
		{"open quote", `up{job="a}`, "", false, "never closed"},
		{"escape at the end", `up{job="a\`, "", false, "never closed"},
		{"open brace", `up{job="a"`, "", false, "want , or }"},
		{"two without comma", `up{job="a" zone="b"}`, "", false, "want , or }"},
		{"after brace", `up{} 1`, "", false, `"1" stands after }`},
		{"bad pattern", `up{job=~"("}`, "", false, "missing closing )"},
		{"label name", `up{9="a"}`, "", false, "not the name of a label"},
		{"too many", "up{" + strings.Repeat(`a="b",`, 17) + "}", "", false, "more than 16 labels"},
		{"too long", "up" + strings.Repeat("p", 1023), "", false, "the limit is 1024"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := ParseMetricSelector(tt.text)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error %v, want one with %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			values := make(map[string]string)
			for pair := range strings.SplitSeq(tt.labels, ",") {
				name, value, _ := strings.Cut(pair, "=")
				values[name] = value
			}
			got := s.Name == "up"
			for i := range s.Labels {
				got = got && s.Labels[i].Matches([]byte(values[s.Labels[i].Name]))
			}
			if got != tt.want {
				t.Errorf("%s on %q: %t, want %t", tt.text, tt.labels, got, tt.want)
			}
		})
	}
}

func FuzzMetricSelector(f *testing.F) {
	f.Add(`up{job="a",zone=~"b|c",x!="\\\"",y!~""}`)
	f.Add(`up{`)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseMetricSelector(text)
		if err != nil {
			return
		}
		for i := range s.Labels {
			s.Labels[i].Matches([]byte(text))
		}
		if s.Name == "" || len(s.Labels) > maxSelectorLabels {
			t.Errorf("%q: %+v", text, s)
		}
	})
}
