package probe

import (
	"bytes"
	"context"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"fairlead/config"
)

// ldapResult is a message with a result.
func ldapResult(id int, operation ber.Tag, code int, diagnostic string) []byte {
	message := ber.NewSequence("")
	message.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""))
	body := ber.Encode(ber.ClassApplication, ber.TypeConstructed, operation, nil, "")
	if operation == ldap.ApplicationSearchResultEntry {
		body.AppendChild(octetString("dc=example"))
		body.AppendChild(ber.NewSequence(""))
	} else {
		body.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, code, ""))
		body.AppendChild(octetString(""))
		body.AppendChild(octetString(diagnostic))
	}
	message.AppendChild(body)
	return message.Bytes()
}

// directoryServer answers each request with the next of some answers, then hears and says nothing.
func directoryServer(requests *[]*ber.Packet, answers ...[]byte) DialFunc {
	return func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() {
			defer far.Close()
			for _, a := range answers {
				q, err := ber.ReadPacket(far)
				if err != nil {
					return
				}
				*requests = append(*requests, q)
				if _, err := far.Write(a); err != nil {
					return
				}
			}
			io.Copy(io.Discard, far)
		}()
		return near, nil
	}
}

func TestLDAP(t *testing.T) {
	bound := ldapResult(1, ldap.ApplicationBindResponse, 0, "")
	entry := ldapResult(2, ldap.ApplicationSearchResultEntry, 0, "")
	done := func(code int) []byte { return ldapResult(2, ldap.ApplicationSearchResultDone, code, "") }
	searches := func(m *config.Monitor) { m.LDAP = &config.LDAPProbe{Base: "dc=example", Scope: config.LDAPSub} }
	tests := []struct {
		name    string
		change  func(*config.Monitor)
		answers [][]byte
		ok      bool
		want    string
	}{
		{"bind", nil, [][]byte{bound}, true, "bound"},
		{"bind refused", nil, [][]byte{ldapResult(1, ldap.ApplicationBindResponse, 49, "80090308: data 52e")}, false,
			`bind: result 49 Invalid Credentials "80090308: data 52e"`},
		{"bind refused, reversed", func(m *config.Monitor) { m.Reverse = true }, [][]byte{ldapResult(1, ldap.ApplicationBindResponse, 48, "")}, true,
			"bind: result 48 Inappropriate Authentication, which passes: reverse"},
		{"busy drains", func(m *config.Monitor) { m.DrainOn = &config.DrainOn{Text: "shutting down"} },
			[][]byte{ldapResult(1, ldap.ApplicationBindResponse, 51, "shutting down")}, true, `answer has "shutting down", which drains`},
		{"disconnects", nil, [][]byte{ldapResult(0, ldap.ApplicationExtendedResponse, 52, "")}, false, "server disconnects: result 52 Unavailable"},
		{"disconnects, and repeats the password", func(m *config.Monitor) { m.Login = &config.ProbeLogin{User: "cn=probe", Password: "env:PASSWORD"} },
			[][]byte{ldapResult(0, ldap.ApplicationExtendedResponse, 52, "not with pass")}, false, `server disconnects: result 52 Unavailable "not with ***"`},
		{"search", searches, [][]byte{bound, entry}, true, "search found an entry"},
		{"search, one of many", searches, [][]byte{bound, append(bytes.Clone(entry), done(4)...)}, true, "search found an entry"},
		{"nothing", searches, [][]byte{bound, done(0)}, false, "search found nothing"},
		{"no base", searches, [][]byte{bound, done(32)}, false, "search: result 32 No Such Object"},
		{"unknown result", searches, [][]byte{bound, done(65536 + 49)}, false, "search: result 65585"},
		{"answers to others", searches, [][]byte{bound, append(ldapResult(7, ldap.ApplicationSearchResultDone, 32, ""), entry...)}, true, "search found an entry"},
		{"endless answers to others", searches, [][]byte{bound, bytes.Repeat(ldapResult(7, ldap.ApplicationSearchResultDone, 32, ""), 50)}, false,
			"16 messages, none that answers the search"},
		{"filter", func(m *config.Monitor) { m.LDAP = &config.LDAPProbe{Filter: "(uid=x"} }, nil, false,
			`ldap.filter is no filter (RFC 4515): LDAP Result Code 201 "Filter Compile Error": ldap: unexpected end of filter`},
		{"no password", func(m *config.Monitor) { m.Login = &config.ProbeLogin{User: "cn=probe"} }, nil, false,
			"a bind needs both a DN and a password: set login.user and login.password, or neither"},
		{"StartTLS refused", startsTLS, [][]byte{ldapResult(1, ldap.ApplicationExtendedResponse, 2, "no TLS")}, false, `StartTLS: result 2 Protocol Error "no TLS"`},
		{"plaintext after StartTLS", startsTLS, [][]byte{append(ldapResult(1, ldap.ApplicationExtendedResponse, 0, ""), ldapResult(2, ldap.ApplicationBindResponse, 0, "")...)}, false,
			"14 bytes in clear after the agreement on TLS: somebody may be in between"},
		{"silent", nil, nil, false, "timed out after 5s waiting for the answer to bind"},
		{"cut off", nil, [][]byte{bound[:5]}, false, "timed out after 5s waiting for the answer to bind"},
		{"not LDAP", nil, [][]byte{[]byte("220 mail\r\n")}, false, "answer is not LDAP"},
		{"great", nil, [][]byte{{0x30, 0x84, 0x7F, 0xFF, 0xFF, 0xFF}}, false, "LDAP message above 64 KiB"},
		{"greater", nil, [][]byte{{0x30, 0x88, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}}, false, "LDAP message without a length that can be"},
		{"of no length", nil, [][]byte{{0x30, 0x80, 0, 0}}, false, "LDAP message without a length that can be"},
		{"nothing in it", nil, [][]byte{{0x30, 0}}, false, "LDAP message without an operation"},
		{"a negative number", nil, [][]byte{{0x30, 5, 2, 1, 0xFF, 0x61, 0}}, false, "LDAP message without an identifier or an operation"},
		{"a result of nothing", nil, [][]byte{{0x30, 5, 2, 1, 1, 0x61, 0}}, false, "LDAP result without its parts"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := serviceMonitor(config.MonitorLDAP)
				if tt.change != nil {
					tt.change(&m)
				}
				var requests []*ber.Packet
				got := keyring(directoryServer(&requests, tt.answers...), "pass").Probe(context.Background(), target("dir", "127.0.0.1:389", m))
				if got.OK != tt.ok || got.Reason != tt.want {
					t.Errorf("got %v %q, want %v %q", got.OK, got.Reason, tt.ok, tt.want)
				}
			})
		})
	}
}

// What is sent, as a server's decoder reads it.
func TestLDAPRequests(t *testing.T) {
	var requests []*ber.Packet
	synctest.Test(t, func(t *testing.T) {
		m := serviceMonitor(config.MonitorLDAP)
		m.Login = &config.ProbeLogin{User: "cn=probe,dc=example", Password: "env:X"}
		m.LDAP = &config.LDAPProbe{Base: "dc=example", Filter: "(uid=x)", Scope: config.LDAPOne}
		dial := directoryServer(&requests, ldapResult(1, ldap.ApplicationBindResponse, 0, ""), ldapResult(2, ldap.ApplicationSearchResultEntry, 0, ""))
		if got := keyring(dial, "pass").Probe(context.Background(), target("dir", "127.0.0.1:389", m)); !got.OK {
			t.Errorf("got %q", got.Reason)
		}
	})
	if len(requests) != 2 {
		t.Fatalf("%d requests, want 2", len(requests))
	}
	bind, search := requests[0].Children[1], requests[1].Children[1]
	if bind.Tag != ldap.ApplicationBindRequest || bind.Children[0].Value != int64(3) || bind.Children[1].Value != "cn=probe,dc=example" || bind.Children[2].Data.String() != "pass" {
		t.Errorf("bind: version %v, name %v, password %q", bind.Children[0].Value, bind.Children[1].Value, bind.Children[2].Data)
	}
	if search.Tag != ldap.ApplicationSearchRequest || search.Children[0].Value != "dc=example" || search.Children[1].Value != int64(ldap.ScopeSingleLevel) ||
		search.Children[3].Value != int64(1) || search.Children[4].Value != int64(6) || search.Children[7].Children[0].Value != noAttributes {
		t.Errorf("search: base %v, scope %v, at most %v entries and %v seconds", search.Children[0].Value, search.Children[1].Value, search.Children[3].Value, search.Children[4].Value)
	}
	if filter, err := ldap.DecompileFilter(search.Children[6]); err != nil || filter != "(uid=x)" {
		t.Errorf("filter %q, %v", filter, err)
	}
}

// However deep what a message holds is nested, it costs about its own length; so do many messages that answer something else.
func TestLDAPNestingIsBounded(t *testing.T) {
	nested := octetString(strings.Repeat("x", 50<<10))
	for range 900 {
		outer := ber.NewSequence("")
		outer.AppendChild(nested)
		nested = outer
	}
	message := ber.NewSequence("")
	message.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, 7, ""))
	entry := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultEntry, nil, "")
	entry.AppendChild(nested)
	message.AppendChild(entry)
	depth := 15000
	endless := append([]byte{2, 1, 1}, bytes.Repeat([]byte{0x30, 0x80}, depth)...)
	endless = append(endless, bytes.Repeat([]byte{0, 0}, depth)...)
	endless = append([]byte{0x30, 0x82, byte(len(endless) >> 8), byte(len(endless))}, endless...)
	for name, answer := range map[string][]byte{
		"entries": bytes.Repeat(message.Bytes(), maxLDAPMessages), "of no length": endless,
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got := keyring(canned(answer), "").Probe(context.Background(), target("dir", "127.0.0.1:389", serviceMonitor(config.MonitorLDAP)))
		runtime.ReadMemStats(&after)
		if got.OK || !strings.Contains(got.Reason, "LDAP") && !strings.Contains(got.Reason, "none that answers the bind") {
			t.Errorf("%s: got %+v", name, got)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 4*uint64(len(answer)) {
			t.Errorf("%s: %d bytes allocated for messages of %d", name, n, len(answer))
		}
	}
}

func FuzzLDAP(f *testing.F) {
	f.Add(ldapResult(1, ldap.ApplicationBindResponse, 0, ""))
	f.Add(append(ldapResult(1, ldap.ApplicationBindResponse, 0, ""), ldapResult(2, ldap.ApplicationSearchResultDone, 32, "none")...))
	f.Add(ldapResult(0, ldap.ApplicationExtendedResponse, 52, ""))
	f.Add([]byte{0x30, 0x84, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, answer []byte) {
		m := serviceMonitor(config.MonitorLDAP)
		m.LDAP = &config.LDAPProbe{Base: "dc=example"}
		began := time.Now()
		got := keyring(canned(answer), "").Probe(context.Background(), target("dir", "127.0.0.1:389", m))
		if got.Reason == "" || time.Since(began) > 4*time.Second {
			t.Errorf("got %+v after %v", got, time.Since(began))
		}
	})
}
