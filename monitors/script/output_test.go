package script

import (
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParsePerformance(t *testing.T) {
	tests := []struct {
		name, data string
		want       []Value
	}{
		{"none", "", nil},
		{"spaces", "  ", nil},
		{"all fields", "load1=0.260;5.000;10.000;0;", []Value{{"load1", 0.26, ""}}},
		{"units", "time=0.1s size=12B;;;0 rta=1.5ms pl=20% c=77c", []Value{{"time", 0.1, "s"}, {"size", 12, "B"}, {"rta", 1.5, "ms"}, {"pl", 20, "%"}, {"c", 77, "c"}}},
		{"quoted labels", "'/ used'=7MB 'it''s'=1 ''=2", []Value{{"/ used", 7, "MB"}, {"it's", 1, ""}}},
		{"negative, signed and short", "a=-1.5 b=+2 c=.5 d=3.", []Value{{"a", -1.5, ""}, {"b", 2, ""}, {"c", 0.5, ""}, {"d", 3, ""}}},
		{"exponents", "a=1e-05s b=2E3 c=1e d=1eV", []Value{{"a", 1e-5, "s"}, {"b", 2000, ""}, {"c", 1, "e"}, {"d", 1, "eV"}}},
		{"not known", "a=U b=1", []Value{{"b", 1, ""}}},
		{"malformed parts are left out", "junk a=1 =2 b=x c= 'open d=1", []Value{{"a", 1, ""}, {"d", 1, ""}}},
		{"no numbers", "a=NaN b=Inf c=1e999 d=0x10 e=1.2.3", []Value{{"d", 0, "x10"}}},
		{"several spaces", "a=1   b=2\t\r", []Value{{"a", 1, ""}, {"b", 2, ""}}},
		{"long names and units", strings.Repeat("ä", 40) + "=1" + strings.Repeat("u", 20), []Value{{strings.Repeat("ä", 32), 1, strings.Repeat("u", 16)}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := parsePerformance(test.data); !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
	if got := len(parsePerformance(strings.Repeat("a=1 ", 2*MaxValues))); got != MaxValues {
		t.Errorf("got %d values, want %d", got, MaxValues)
	}
}

func FuzzOutput(f *testing.F) {
	for _, seed := range []string{"OK - fine | time=0.1s;1;2;0;5 'a b'=3%", "|", "\n\nOK|a=1\nmore", "'", "a=1 '''=2", "\xff|\xff=1", "| a=1e+"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		line, data := split(text)
		if strings.Contains(line, "\n") || !utf8.ValidString(line) {
			t.Errorf("line %q", line)
		}
		values := parsePerformance(data)
		if len(values) > MaxValues {
			t.Errorf("%d values", len(values))
		}
		for _, v := range values {
			if v.Name == "" || len(v.Name) > maxLabel || len(v.Unit) > maxUnit || math.IsNaN(v.Value) || math.IsInf(v.Value, 0) || !utf8.ValidString(v.Name+v.Unit) {
				t.Errorf("value %+v of %q", v, text)
			}
		}
	})
}
