package probe

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/textproto"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/config"
)

// sipAnswerTo fills a template of an answer with what the request has: VIA, CALLID and CSEQ.
func sipAnswerTo(t *testing.T, request, template string) string {
	t.Helper()
	line, rest, _ := strings.Cut(request, "\r\n")
	if !strings.HasPrefix(line, "OPTIONS sip:") || !strings.HasSuffix(line, " SIP/2.0") {
		t.Errorf("request line %q", line)
	}
	head, err := textproto.NewReader(bufio.NewReader(strings.NewReader(rest))).ReadMIMEHeader()
	if err != nil {
		t.Errorf("headers of %q: %v", request, err)
	}
	get := http.Header(head).Get
	for name, want := range map[string]string{"Max-Forwards": "70", "Content-Length": "0"} {
		if get(name) != want {
			t.Errorf("%s: %q, want %q", name, get(name), want)
		}
	}
	if !strings.Contains(get("Via"), ";branch=z9hG4bK") || !strings.Contains(get("From"), ";tag=") || !strings.HasSuffix(get("CSeq"), " OPTIONS") || get("Contact") == "" {
		t.Errorf("request %q", request)
	}
	return strings.ReplaceAll(strings.NewReplacer("VIA", get("Via"), "CALLID", get("Call-ID"), "CSEQ", get("CSeq")).Replace(template), "\n", "\r\n")
}

const (
	sipHeaders = "Via: VIA\nCall-ID: CALLID\nCSeq: CSEQ\nContent-Length: 0\n\n"
	sipOK      = "SIP/2.0 200 OK\n" + sipHeaders
	sipTrying  = "SIP/2.0 100 Trying\n" + sipHeaders
)

func TestSIP(t *testing.T) {
	tests := []struct {
		name    string
		probe   config.SIPProbe
		answers []string // each a datagram
		ok      bool
		want    string
	}{
		{"good", config.SIPProbe{}, []string{sipOK}, true, "status 200"},
		{"compact and folded", config.SIPProbe{}, []string{"SIP/2.0 200 OK\nv:\n VIA\ni: CALLID\ncseq:  CSEQ\nl: 0\n\n"}, true, "status 200"},
		{"provisional first", config.SIPProbe{}, []string{sipTrying, sipTrying, sipOK}, true, "status 200"},
		{"only provisional", config.SIPProbe{}, []string{sipTrying}, false, "timed out after 5s waiting for first byte"},
		{"not found", config.SIPProbe{}, []string{"SIP/2.0 404 Not Here\n" + sipHeaders}, false, `status 404 "Not Here", want 200-299`},
		{"not found is fine", config.SIPProbe{ExpectStatus: []string{"200", "404"}}, []string{"SIP/2.0 404 Not Here\n" + sipHeaders}, true, "status 404"},
		{"anything", config.SIPProbe{ExpectStatus: []string{"200-699"}}, []string{"SIP/2.0 603 Decline\n" + sipHeaders}, true, "status 603"},
		{"drains", config.SIPProbe{}, []string{"SIP/2.0 503 Maintenance\n" + sipHeaders}, true, "status 503 drains"},
		{"drains with a code that only SIP has", config.SIPProbe{}, []string{"SIP/2.0 606 Not Acceptable\n" + sipHeaders}, true, "status 606 drains"},
		{"another call", config.SIPProbe{}, []string{"SIP/2.0 200 OK\nVia: VIA\nCall-ID: other\nCSeq: CSEQ\n\n"}, false, "SIP message answers something else"},
		{"another branch", config.SIPProbe{}, []string{"SIP/2.0 200 OK\nVia: SIP/2.0/UDP x;branch=z9hG4bKx\nCall-ID: CALLID\nCSeq: CSEQ\n\n"}, false, "SIP message answers something else"},
		{"another sequence", config.SIPProbe{}, []string{"SIP/2.0 200 OK\nVia: VIA\nCall-ID: CALLID\nCSeq: 1 OPTIONS\n\n"}, false, "SIP message answers something else"},
		{"forged before the right one", config.SIPProbe{}, []string{"SIP/2.0 503 No\n\n", sipOK}, true, "status 200"},
		{"a request", config.SIPProbe{}, []string{"OPTIONS sip:x SIP/2.0\n" + sipHeaders}, false, `"OPTIONS sip:x SIP/2.0" is no answer of SIP`},
		{"garbage", config.SIPProbe{}, []string{"\x00\x01"}, false, `"\x00\x01" is no answer of SIP`},
		{"no header", config.SIPProbe{}, []string{"SIP/2.0 200 OK\nnothing\n\n"}, false, `"nothing" is no header of SIP`},
		{"bad status set", config.SIPProbe{ExpectStatus: []string{"2xx"}}, nil, false, `sip.expect_status: "2xx" is not a status code (100 to 699) or a range such as 200-299`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := serviceMonitor(config.MonitorSIP)
			m.SIP, m.DrainOn = &tt.probe, &config.DrainOn{Status: []string{"503", "606"}}
			got, _ := probeDatagrams(t, m, func(_ int, request []byte) [][]byte {
				var packets [][]byte
				for _, a := range tt.answers {
					packets = append(packets, []byte(sipAnswerTo(t, string(request), a)))
				}
				return packets
			})
			if got.OK != tt.ok || got.Reason != tt.want {
				t.Errorf("got %v %q, want %v %q", got.OK, got.Reason, tt.ok, tt.want)
			}
		})
	}
}

func TestSIPOverTCP(t *testing.T) {
	long := "X: " + strings.Repeat("x", 100) + "\n"
	tests := []struct{ name, answer, want string }{
		{"good", sipOK, "status 200"},
		{"keep-alive and provisional with a body before", "\n\nSIP/2.0 183 Progress\nVia: VIA\nCall-ID: CALLID\nCSeq: CSEQ\nContent-Length: 20\n\nSIP/2.0 500 no\n1234\n" + sipOK, "status 200"},
		{"endless provisional", strings.Repeat(sipTrying, 100), "16 messages, none that answers this request"},
		{"endless headers", "SIP/2.0 200 OK\n" + strings.Repeat(long, 2000), "headers above 100 lines"},
		{"endless header", "SIP/2.0 200 OK\nX: " + strings.Repeat("x", 1<<20), "line above 4 KiB waiting for the answer to OPTIONS"},
		{"great body", "SIP/2.0 183 Progress\nContent-Length: 2000000000\n\n", "body above 64 KiB"},
		{"negative body", "SIP/2.0 183 Progress\nContent-Length: -1\n\n", `"-1" is no length of a body`},
		{"garbage", "220 mail\n\n", `"220 mail" is no answer of SIP`},
		{"cut off", "SIP/2.0 200 OK\nVia", "connection closed waiting for the answer to OPTIONS"},
		{"closed", "", "connection closed waiting for the answer to OPTIONS"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dial := func(context.Context, string, string) (net.Conn, error) {
					near, far := net.Pipe()
					go func() {
						defer far.Close()
						buf := make([]byte, maxDatagramBytes)
						n, _ := far.Read(buf)
						fmt.Fprint(far, sipAnswerTo(t, string(buf[:n]), tt.answer))
					}()
					return near, nil
				}
				m := serviceMonitor(config.MonitorSIP)
				m.SIP = &config.SIPProbe{Transport: config.SIPOverTCP, URI: "sip:probe@example.com"}
				got := over(dial).Probe(context.Background(), target("sip", "[2001:db8::1]:5060", m))
				if got.OK != strings.HasPrefix(tt.want, "status") || got.Reason != tt.want {
					t.Errorf("got %v %q, want %q", got.OK, got.Reason, tt.want)
				}
			})
		})
	}
}

func TestSIPOverTLS(t *testing.T) {
	ca := newAuthority(t, "Test CA")
	cert := ca.issue(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour), "sip.example.com")
	m := serviceMonitor(config.MonitorSIP)
	m.SIP, m.TLS = &config.SIPProbe{Transport: config.SIPOverTLS, URI: "sip:sip.example.com"}, config.TLSProbe{Verify: true, CAFile: ca.file(t)}
	// The script answers without looking: what matters is that TLS asks for the name of the URI.
	got := over(sayingTLS(t, cert, "TLS", "S: SIP/2.0 200 OK", "S: ")).Probe(context.Background(), target("sip", "192.0.2.1:5061", m))
	if got.OK || got.Reason != "connection closed waiting for the answer to OPTIONS" && got.Reason != "connection reset waiting for the answer to OPTIONS" {
		t.Errorf("got %v %q, want an answer that is no answer to this request", got.OK, got.Reason)
	}
	m.SIP = &config.SIPProbe{Transport: config.SIPOverTLS, URI: "sips:probe@other.example.com:5061;transport=tcp"}
	got = over(sayingTLS(t, cert, "TLS", "silent")).Probe(context.Background(), target("sip", "192.0.2.1:5061", m))
	if want := `certificate is for sip.example.com, not for "other.example.com"`; got.OK || got.Reason != want {
		t.Errorf("got %v %q, want %q", got.OK, got.Reason, want)
	}
}

func TestSIPRequestURI(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1:5060": "sip:192.0.2.1", "192.0.2.1:5070": "sip:192.0.2.1:5070", "[2001:db8::1]:5060": "sip:[2001:db8::1]", "[fe80::1%eth0]:5070": "sip:[fe80::1]:5070",
	} {
		q := newSIPRequest(&config.SIPProbe{}, target("", address, config.Monitor{}).Address, 5060, nil)
		if !strings.HasPrefix(q.text, "OPTIONS "+want+" SIP/2.0\r\n") {
			t.Errorf("%s: %q, want %s", address, q.text, want)
		}
	}
	for uri, want := range map[string]string{"sip:example.com": "example.com", "sip:a@example.com:5070;transport=tcp?x=y": "example.com", "sips:[2001:db8::1]:5061": "2001:db8::1", "sip:[2001:db8::1]": "2001:db8::1", "": ""} {
		if got := sipHost(uri); got != want {
			t.Errorf("host of %q: got %q, want %q", uri, got, want)
		}
	}
}

func FuzzSIP(f *testing.F) {
	for _, seed := range []string{sipOK, sipTrying, "SIP/2.0 200 OK\r\nv: a;branch=b,c\r\n folded\r\nl: 7", "", " ", "SIP/2.0 200"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := parseSIP(strings.Split(text, "\r\n"))
		if err == nil && (a.status < 100 || a.status > 699 || a.length < 0) {
			t.Errorf("%q: %+v", text, a)
		}
		m := serviceMonitor(config.MonitorSIP)
		m.SIP = &config.SIPProbe{Transport: config.SIPOverTCP}
		if got := over(canned([]byte(text))).Probe(context.Background(), target("sip", "127.0.0.1:5060", m)); got.OK {
			t.Errorf("%q passes: it cannot know the Call-ID", text)
		}
	})
}
