package convert

import (
	"slices"
	"strings"
	"testing"
)

func TestSplitWords(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       []string
		unclosed   bool
		left       string // what is not part of the command
	}{
		{name: "plain", text: "add  gslb\tsite a", want: []string{"add", "gslb", "site", "a"}},
		{name: "quotes", text: `x "a b" ""`, want: []string{"x", "a b", ""}},
		{name: "escapes", text: `x "a \"b\" \\r\n"`, want: []string{"x", `a "b" \r\n`}},
		{name: "single quotes", text: `x 'a "b"' it's`, want: []string{"x", `a "b"`, "it's"}},
		{name: "q with a slash", text: `x q/a "b"/ c`, want: []string{"x", `a "b"`, "c"}},
		{name: "q nests", text: `x q{a {b} c} d`, want: []string{"x", "a {b} c", "d"}},
		{name: "q that is a word", text: `x q{a b`, want: []string{"x", "q{a", "b"}},
		{name: "quotes inside a word", text: `x EQ("a b")&&Y z`, want: []string{"x", `EQ("a b")&&Y`, "z"}},
		{name: "a backslash joins lines", text: "x a \\\n  b\nadd c", want: []string{"x", "a", "b"}, left: "add c"},
		{name: "a quote goes on", text: "x \"a\nb\" c", want: []string{"x", "a\nb", "c"}},
		{name: "a quote is not closed", text: "x \"a b\nadd y \"z\"", want: []string{"x", "a b"}, unclosed: true, left: "add y \"z\""},
		{name: "a quote at the end", text: `x "`, want: []string{"x", ""}, unclosed: true},
		{name: "a backslash at the end", text: `x \`, want: []string{"x"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			from := &lines{text: []byte(test.text)}
			line, _ := from.next()
			words, unclosed := splitWords(line, from)
			var got []string
			for _, w := range words {
				got = append(got, w.text)
			}
			if !slices.Equal(got, test.want) || unclosed != test.unclosed || string(from.text) != test.left {
				t.Errorf("got %q, unclosed %v, left %q; want %q, %v, %q", got, unclosed, from.text, test.want, test.unclosed, test.left)
			}
		})
	}
}

func TestUnescape(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{`a\r\nb\tc`, "a\r\nb\tc"}, {`\xfF\\n\"`, "\xff\\n\""}, {`\xg0 \d \`, `\xg0 \d \`}, {"plain", "plain"},
	} {
		if got := unescape(test.text); got != test.want {
			t.Errorf("unescape(%q): got %q, want %q", test.text, got, test.want)
		}
	}
}

// TestArguments reads parameters in any order and case, abbreviated, with their numbers of values.
func TestArguments(t *testing.T) {
	for _, test := range []struct{ name, line, args, params string }{
		{"order", "bind gslb vserver -weight 5 v -serviceName s", "v", "-weight 5|-serviceName s"},
		{"case", "ADD GSLB SITE a -PUBLICip 192.0.2.1", "a", "-publicIP 192.0.2.1"},
		{"abbreviated", "set gslb vserver v -soM NONE -persistenceT SOURCEIP", "v", "-soMethod NONE|-persistenceType SOURCEIP"},
		{"ambiguous", "set gslb vserver v -persistence SOURCEIP x", "v", "-persistence SOURCEIP x"},
		{"units", "add lb monitor m HTTP -interval 2 MIN -retries 3 SEC", "m HTTP SEC", "-interval 2 MIN|-retries 3"},
		{"several values", "add lb monitor m HTTP -respCode 200 301-302 -retries 4", "m HTTP", "-respCode 200 301-302|-retries 4"},
		{"negative numbers", "add location a b c -longitude -122 -latitude 37", "a b c", "-longitude -122|-latitude 37"},
		{"quoted is no parameter", `add dns txtRec d "-all"`, "d -all", ""},
		{"flags", "add gslb site a -sitePassword x -encrypted 192.0.2.1", "a 192.0.2.1", "-sitePassword ***|-encrypted"},
	} {
		t.Run(test.name, func(t *testing.T) {
			words, _ := splitWords(test.line, &lines{})
			c, ok := readCommand(1, words)
			var params []string
			for _, p := range c.params {
				params = append(params, p.text())
			}
			if got := strings.Join(params, "|"); !ok || got != test.params || strings.Join(c.args, " ") != test.args {
				t.Errorf("got arguments %q and %q, want %q and %q", c.args, got, test.args, test.params)
			}
		})
	}
}

// TestParamTables: names that begin with another name would be hard to abbreviate, and two of the same name cannot be told apart.
func TestParamTables(t *testing.T) {
	for noun := range nounParams {
		seen := map[string]bool{}
		for _, a := range paramTable(noun) {
			name := strings.ToLower(a.name)
			if seen[name] {
				t.Errorf("%s has -%s twice", noun, a.name)
			}
			seen[name] = true
		}
	}
}

func TestReadRule(t *testing.T) {
	for _, test := range []struct {
		rule string
		want string // conditions, or "" when it cannot be read
	}{
		{"true", "[] [] [] []"},
		{`CLIENT.IP.SRC.MATCHES_LOCATION("EU.NL.*.*.*.*")`, "[EU.NL] [] [] []"},
		{`client.ip.src.matches_location(\"EU.*.NH\")`, "[EU.*.NH] [] [] []"},
		{`(CLIENT.IP.SRC.IN_SUBNET(10.1.2.3/8)) || (CLIENT.IPV6.SRC.IN_SUBNET(2001:db8::/32))`, "[] [10.0.0.0/8 2001:db8::/32] [] []"},
		{`CLIENT.IP.DST.EQ(192.0.2.1)&&CLIENT.IP.SRC.EQ(10.0.0.1)`, "[] [10.0.0.1/32] [192.0.2.1] []"},
		{`DNS.REQ.QUESTION.DOMAIN.EQ("WWW.example.com") && (CLIENT.IP.SRC.MATCHES_LOCATION("EU") || CLIENT.IP.SRC.MATCHES_LOCATION("NA"))`, "[EU NA] [] [] [www.example.com]"},
		{`CLIENT.IP.SRC.MATCHES_LOCATION("EU") || CLIENT.IP.SRC.EQ(10.0.0.1)`, ""},
		{`CLIENT.IP.SRC.MATCHES_LOCATION("EU") && CLIENT.IP.SRC.MATCHES_LOCATION("NA")`, ""},
		{`CLIENT.IP.SRC.MATCHES_LOCATION("*.*")`, ""},
		{`CLIENT.IP.SRC.IN_SUBNET(10.0.0.0/40)`, ""},
		{`CLIENT.IP.SRC.EQ(10.0.0.1).NOT`, ""},
		{`!CLIENT.IP.SRC.EQ(10.0.0.1)`, ""},
		{"", ""},
	} {
		c, ok := readRule(test.rule)
		got := ""
		if ok {
			got = strings.Join([]string{list(c.places), list(c.clients), list(c.listeners), list(c.names)}, " ")
		}
		if got != test.want {
			t.Errorf("rule %q: got %q, want %q", test.rule, got, test.want)
		}
	}
}

func list(texts []string) string { return "[" + strings.Join(texts, " ") + "]" }

func TestPlace(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"EU.NL.*.*.*.*", "EU.NL"}, {`NA.US."St. Louis".x`, "NA.US.St Louis.x"}, {"*", ""}, {"EU.*.NH", "EU.*.NH"}, {"a.b.c.d.e.f.g", "error"}, {"E*.x", "error"}, {"a..b", "a.*.b"},
	} {
		got, err := place(test.text)
		if err != nil {
			got = "error"
		}
		if got != test.want {
			t.Errorf("place %q: got %q, want %q", test.text, got, test.want)
		}
	}
}

func TestMaskBits(t *testing.T) {
	for _, test := range []struct {
		mask string
		want int
	}{{"255.255.255.255", 32}, {"255.255.240.0", 20}, {"128.0.0.0", 1}, {"0.0.0.0", -1}, {"255.0.255.0", -1}, {"0.0.0.255", -1}, {"x", -1}} {
		got, ok := maskBits(test.mask)
		if !ok {
			got = -1
		}
		if got != test.want {
			t.Errorf("mask %s: got %d, want %d", test.mask, got, test.want)
		}
	}
}
