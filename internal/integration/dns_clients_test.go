//go:build integration

package integration

import (
	"encoding/base64"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// clients asks a node with dig, drill and kdig over every transport, and looks at what they print.
func (l *lab) clients() {
	trusted := []string{"+tls-ca=dns-ca.crt", "+tls-hostname=ns1." + zoneName}
	const answer = `www\.gslb\.example\.com\.\s+1\s+IN\s+A\s+(192\.0\.2|198\.51\.100)\.80`
	for _, c := range []struct {
		name    string
		program string
		args    []string
		want    []string // regular expressions
		never   string
	}{
		{"UDP", "dig", []string{"www", "A"}, []string{"status: NOERROR", "flags: qr aa rd;", answer, `\(UDP\)`}, "AUTHORITY SECTION"},
		{"TCP", "dig", []string{"www", "A", "+tcp", "+keepalive"}, []string{answer, `\(TCP\)`, `TCP KEEPALIVE: 10\.0 secs`}, ""},
		{"TLS", "dig", append([]string{"www", "A", "+tls", "+padding=128", "+keepalive"}, trusted...), []string{answer, `\(TLS\)`, "PAD: ", "TCP KEEPALIVE", "rcvd: 468"}, ""},
		{"TLS of another name", "dig", []string{"www", "A", "+tls", "+tls-ca=dns-ca.crt", "+tls-hostname=ns1.example.org"}, []string{"hostname mismatch|TLS peer certificate"}, "ANSWER: 1"},
		{"HTTPS POST", "dig", append([]string{"www", "A", "+https"}, trusted...), []string{answer, `\(HTTPS\)`}, ""},
		{"HTTPS GET", "dig", append([]string{"www", "A", "+https-get", "+padding=128"}, trusted...), []string{answer, `\(HTTPS-GET\)`, "rcvd: 468"}, ""},
		{"no EDNS", "dig", []string{"www", "A", "+noedns"}, []string{answer, "ADDITIONAL: 0"}, "OPT PSEUDOSECTION"},
		{"NSID", "dig", []string{"www", "A", "+nsid"}, []string{`NSID: .*\("ams-1"\)`}, ""},
		{"client subnet that matters", "dig", []string{"near", "A", "+subnet=203.0.113.200/32"}, []string{`CLIENT-SUBNET: 203\.0\.113\.200/32/25`, webNYC}, webAMS + "$"},
		{"client subnet of others", "dig", []string{"near", "A", "+subnet=203.0.113.10/32"}, []string{`CLIENT-SUBNET: 203\.0\.113\.10/32/25`, webAMS}, webNYC + "$"},
		{"client subnet that does not matter", "dig", []string{"text", "TXT", "+subnet=2001:db8:c::/56"}, []string{`CLIENT-SUBNET: 2001:db8:c::/56/0`}, ""},
		{"DO", "dig", []string{"www", "A", "+dnssec"}, []string{"flags: do; udp: 1232", answer}, "RRSIG"},
		{"EDNS version", "dig", []string{"www", "A", "+edns=3", "+noednsneg"}, []string{"status: BADVERS", "version: 0"}, answer},
		{"unknown option", "dig", []string{"www", "A", "+ednsopt=65001:abcd"}, []string{answer}, "OPT=65001"},
		{"small buffer", "dig", []string{"big", "TXT", "+bufsize=512", "+ignore"}, []string{"flags: qr aa tc rd", "ANSWER: 0"}, ""},
		{"large answer", "dig", []string{"big", "TXT", "+bufsize=4096"}, []string{"Truncated, retrying in TCP mode", "ANSWER: 20", `\(TCP\)`}, ""},
		{"no such name", "dig", []string{"nowhere", "A"}, []string{"status: NXDOMAIN", `gslb\.example\.com\.\s+60\s+IN\s+SOA`}, ""},
		{"another zone", "dig", []string{"www.example.org.", "A"}, []string{"status: REFUSED", `EDE: 20 \(Not Authoritative\)`}, "SOA"},
		{"ANY", "dig", []string{"text", "ANY", "+notcp"}, []string{`HINFO\s+"RFC8482"`}, ""},
		{"unknown opcode", "dig", []string{"www", "A", "+opcode=3"}, []string{"status: NOTIMP"}, ""},
		{"header only", "dig", []string{"+header-only", "+noedns"}, []string{"status: FORMERR"}, ""},

		{"UDP", "kdig", []string{"www", "A", "+nsid"}, []string{answer, `NSID: 616D732D31 "ams-1"`, `\(UDP\)`}, ""},
		{"TCP", "kdig", []string{"www", "A", "+tcp"}, []string{answer, `\(TCP\)`}, ""},
		{"TCP, two in a row", "kdig", []string{"+tcp", "+keepopen", "www", "A", "text", "TXT"}, []string{answer, "served by every site"}, ""},
		{"TLS", "kdig", append([]string{"www", "A", "+tls", "+padding"}, trusted...), []string{"TLS1.3", answer, "PADDING: ", "Received 468 B"}, ""},
		{"TLS of another name", "kdig", []string{"www", "A", "+tls-ca=dns-ca.crt", "+tls-hostname=ns1.example.org"}, []string{"Error in the certificate"}, answer},
		{"HTTPS POST", "kdig", append([]string{"www", "A", "+https"}, trusted...), []string{"HTTP/2-POST", "status: 200", answer}, ""},
		{"HTTPS GET", "kdig", append([]string{"www", "A", "+https", "+https-get"}, trusted...), []string{"HTTP/2-GET", "status: 200", answer}, ""},
		{"HTTPS, another path", "kdig", append([]string{"www", "A", "+https=/other"}, trusted...), []string{"404"}, answer},
		{"client subnet", "kdig", []string{"near", "A", "+subnet=203.0.113.0/24"}, []string{`CLIENT-SUBNET: 203\.0\.113\.0/24/25`}, ""},
		{"alias out of the zone", "kdig", []string{"away", "AAAA"}, []string{"NOERROR", `CNAME\s+web\.example\.net\.`}, ""},

		{"UDP", "drill", []string{"www", "A"}, []string{"rcode: NOERROR", answer}, ""},
		{"TCP", "drill", []string{"-t", "www", "AAAA"}, []string{"rcode: NOERROR", `AAAA\s+2001:db8:[ab]::80`}, ""},
		{"truncation", "drill", []string{"-b", "4096", "big", "TXT"}, []string{"flags: qr aa tc rd", "ANSWER: 0"}, ""},
		{"fallback", "drill", []string{"-a", "-b", "4096", "big", "TXT"}, []string{"ANSWER: 20"}, ""},
		{"DNAME", "drill", []string{"a.old", "A"}, []string{`DNAME\s+new\.gslb`, `CNAME\s+a\.new\.gslb`, `192\.0\.2\.81`}, ""},
		{"delegation", "drill", []string{"host.below", "A"}, []string{"ANSWER: 0, AUTHORITY: 1, ADDITIONAL: 1", `below\.gslb\.example\.com\.\s+300\s+IN\s+NS\s+ns\.below`}, "flags: qr aa"},
	} {
		l.t.Run(c.program+" "+c.name, func(t *testing.T) {
			needs(t, c.program)
			out := l.with(t).ask(c.program, c.args...)
			for _, want := range c.want {
				if !regexp.MustCompile(want).MatchString(out) {
					t.Errorf("want %q in\n%s", want, out)
				}
			}
			if c.never != "" && regexp.MustCompile(c.never).MatchString(out) {
				t.Errorf("want no %q in\n%s", c.never, out)
			}
		})
	}
	l.t.Run("cookie", func(t *testing.T) { l.with(t).cookie() })
	l.t.Run("both members are answered", func(t *testing.T) { l.with(t).balanced() })
	l.t.Run("drill follows the tree", func(t *testing.T) {
		needs(t, "drill")
		out := l.with(t).in(wan, "drill", "-T", "-r", "root.hints", "alias."+zoneName, "A")
		for _, want := range []string{"example.com.\t", "ns1." + zoneName, "alias." + zoneName + ".\t300\tIN\tCNAME\twww." + zoneName} {
			if !strings.Contains(out, want) {
				t.Errorf("want %q in\n%s", want, out)
			}
		}
	})
}

// questionWord is a name of the zone in the arguments of a test; what has a dot at its end is left as it is.
var questionWord = regexp.MustCompile(`^[a-z.]*[a-z]$`)

// ask asks the first node with a client. It may fail: the output tells.
func (l *lab) ask(program string, args ...string) string {
	l.t.Helper()
	full := []string{"@" + amsDNS}
	for _, a := range args {
		if questionWord.MatchString(a) {
			a += "." + zoneName
		}
		full = append(full, a)
	}
	out, _ := l.tryIn(wan, program, full...)
	return out
}

// cookie gets a cookie from one query and shows it in the next, which is how a client proves its address.
func (l *lab) cookie() {
	for _, program := range []string{"dig", "kdig"} {
		l.t.Run(program, func(t *testing.T) {
			needs(t, program)
			l := l.with(t)
			valid := func() float64 { return l.metric("ams", `fairlead_dns_cookies_total{kind="valid"}`) }
			cookie := regexp.MustCompile(`(?i)COOKIE: ([0-9a-f]{48})`).FindStringSubmatch(l.ask(program, "text", "TXT", "+cookie=0123456789abcdef"))
			if cookie == nil || !strings.HasPrefix(strings.ToLower(cookie[1]), "0123456789abcdef") {
				t.Fatalf("got the cookie %v, want 8 octets of the client and 16 of the server", cookie)
			}
			before := valid()
			again := l.ask(program, "text", "TXT", "+cookie="+cookie[1])
			if !strings.Contains(again, "served by every site") {
				t.Errorf("with the cookie: got\n%s", again)
			}
			if got := valid() - before; got != 1 {
				t.Errorf("the node counted %v valid cookies, want 1", got)
			}
			l.ask(program, "text", "TXT", "+cookie="+strings.Repeat("ab", 24))
			if got := valid() - before; got != 1 {
				t.Errorf("a made-up cookie counted as valid")
			}
		})
	}
}

// balanced asks until both members were in an answer, at each node.
func (l *lab) balanced() {
	for _, server := range []string{amsDNS, "2001:db8:b::53"} {
		seen := map[string]int{}
		for range 8 {
			seen[strings.TrimSpace(l.in(wan, "dig", "@"+server, "www."+zoneName, "+short"))]++
		}
		if len(seen) != 2 || seen[webAMS] != 4 || seen[webNYC] != 4 {
			l.t.Errorf("round robin at %s: got %v, want each of %s and %s 4 times", server, seen, webAMS, webNYC)
		}
	}
}

// load asks for some seconds at a modest rate over every transport; nothing may be lost.
func (l *lab) load() {
	l.write("questions", []byte("www.gslb.example.com A\nwww.gslb.example.com AAAA\ntext.gslb.example.com TXT\nalias.gslb.example.com A\nx.wild.gslb.example.com A\n"))
	for mode, port := range map[string]string{"udp": "53", "tcp": "53", "dot": "853"} {
		l.t.Run(mode, func(t *testing.T) {
			needs(t, "dnsperf")
			out := l.with(t).in(wan, "dnsperf", "-s", amsDNS, "-a", unlimited, "-m", mode, "-p", port, "-d", "questions", "-Q", "1000", "-l", "2", "-c", "4", "-e", "-t", "4")
			for _, want := range []string{`Queries sent: +(1[5-9]|2[0-9])[0-9]{2}\n`, `Queries lost: +0 \(0\.00%\)`, `Response codes: +NOERROR [0-9]+ \(100\.00%\)`} {
				if !regexp.MustCompile(want).MatchString(out) {
					t.Errorf("want %q in\n%s", want, out)
				}
			}
		})
	}
	l.t.Run("doh", func(t *testing.T) { l.with(t).loadHTTPS() })
	l.t.Run("the rate limit holds for others", func(t *testing.T) {
		needs(t, "dnsperf")
		l := l.with(t)
		limited := func() float64 {
			return l.metric("ams", "fairlead_dns_limited_truncated_total") + l.metric("ams", "fairlead_dns_limited_dropped_total")
		}
		before := limited()
		out, err := l.tryIn(wan, "dnsperf", "-s", amsDNS, "-a", canadian, "-d", "questions", "-n", "400", "-Q", "4000", "-c", "1", "-t", "1")
		if got := limited() - before; err != nil || got == 0 {
			t.Errorf("of 2000 queries in half a second %v were limited (%v), want some, in\n%s", got, err, out)
		}
	})
}

// loadHTTPS asks over HTTP/2 with many requests at a time. The tool looks at HTTP alone; the node's counters tell the rest.
func (l *lab) loadHTTPS() {
	needs(l.t, "h2load")
	const requests = 2000
	question := []byte("\x00\x00\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x04gslb\x07example\x03com\x00\x00\x01\x00\x01")
	l.write("question.bin", question)
	url := "https://" + amsDNS + "/dns-query"
	before := l.metric("ams", `fairlead_dns_queries_total{transport="https"}`)
	for _, args := range [][]string{
		{url + "?dns=" + base64.RawURLEncoding.EncodeToString(question)},
		{"-d", "question.bin", "-H", "content-type: application/dns-message", url},
	} {
		out := l.in(wan, "h2load", append([]string{"-n", strconv.Itoa(requests), "-c", "4", "-m", "20"}, args...)...)
		if want := "2000 succeeded, 0 failed, 0 errored, 0 timeout"; !strings.Contains(out, want) {
			l.t.Errorf("want %q in\n%s", want, out)
		}
	}
	if got := l.metric("ams", `fairlead_dns_queries_total{transport="https"}`) - before; got != 2*requests {
		l.t.Errorf("the node counted %v queries, want %d", got, 2*requests)
	}
}
