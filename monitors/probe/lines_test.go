package probe

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/config"
)

// conversation is one of a table of them.
type conversation struct {
	name   string
	kind   config.MonitorType
	change func(*config.Monitor) // may be nil
	script []string
	ok     bool
	want   string // reason
}

func (c conversation) run(t *testing.T) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := serviceMonitor(c.kind)
		if c.change != nil {
			c.change(&m)
		}
		began := time.Now()
		got := keyring(saying(t, c.script...), "pass word").Probe(context.Background(), target("mail", "127.0.0.1:25", m))
		if got.OK != c.ok || got.Reason != c.want {
			t.Errorf("got %v %q, want %v %q", got.OK, got.Reason, c.ok, c.want)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("took %v, want at most the timeout of 5s", took)
		}
		time.Sleep(2 * time.Second) // until the server has noticed
	})
}

func logsIn(m *config.Monitor)    { m.Login = somebody }
func startsTLS(m *config.Monitor) { m.Security = config.SecuritySTARTTLS }

func TestSMTP(t *testing.T) {
	hello := []string{"S: 220 mail ESMTP", "C: EHLO localhost"}
	tests := []conversation{
		{"greeted", "smtp", nil, append(hello, "S: 250-mail", "S: 250 SIZE 10", "C: QUIT", "S: 221 bye"), true, "reply 250 to hello"},
		{"greeting of many lines", "smtp", nil, []string{"S: 220-mail", "S: 220-is", "S: 220 here", "C: EHLO localhost", "S: 250 mail", "C: QUIT"}, true, "reply 250 to hello"},
		{"name", "smtp", func(m *config.Monitor) { m.SMTP = &config.SMTPProbe{Hello: "probe.example.com"} },
			[]string{"S: 220 mail", "C: EHLO probe.example.com", "S: 250 mail", "C: QUIT", "silent"}, true, "reply 250 to hello"},
		{"knows no EHLO", "smtp", nil, append(hello, "S: 500 what", "C: HELO localhost", "S: 250 mail", "C: QUIT"), true, "reply 250 to hello"},
		{"knows neither", "smtp", nil, append(hello, "S: 500 what", "C: HELO localhost", "S: 501 what now"), false, `reply "501 what now" to HELO, want 250`},
		{"refuses", "smtp", nil, []string{"S: 554 no service here"}, false, `greeting "554 no service here", want 220`},
		{"refuses, reversed", "smtp", func(m *config.Monitor) { m.Reverse = true }, []string{"S: 554 no service here"}, true,
			`greeting "554 no service here", want 220, which passes: reverse`},
		{"silence, reversed", "smtp", func(m *config.Monitor) { m.Reverse = true }, []string{"silent"}, false, "timed out after 5s waiting for the greeting"},
		{"busy", "smtp", func(m *config.Monitor) { m.DrainOn = &config.DrainOn{Status: []string{"421"}} }, []string{"S: 421 come back"}, true, "status 421 drains"},
		{"maintenance", "smtp", func(m *config.Monitor) { m.DrainOn = &config.DrainOn{Text: "maintenance"} },
			append(hello, "S: 250-mail", "S: 250 in maintenance"), true, `answer has "maintenance", which drains`},
		{"lmtp", "smtp", func(m *config.Monitor) { m.SMTP = &config.SMTPProbe{LMTP: true} },
			[]string{"S: 220 lmtp", "C: LHLO localhost", "S: 250 lmtp", "C: QUIT"}, true, "reply 250 to hello"},
		{"lmtp has no HELO", "smtp", func(m *config.Monitor) { m.SMTP = &config.SMTPProbe{LMTP: true} },
			[]string{"S: 220 smtp", "C: LHLO localhost", "S: 500 what"}, false, `reply "500 what" to LHLO, want 250`},
		{"login", "smtp", logsIn, append(hello, "S: 250-mail", "S: 250 AUTH LOGIN PLAIN", "C: AUTH PLAIN AHByb2JlAHBhc3Mgd29yZA==", "S: 235 ok", "C: QUIT"), true, "logged in"},
		{"login of old servers", "smtp", logsIn, append(hello, "S: 250-mail", "S: 250 AUTH=LOGIN", "C: AUTH LOGIN", "S: 334 VXNlcm5hbWU6", "C: cHJvYmU=",
			"S: 334 UGFzc3dvcmQ6", "C: cGFzcyB3b3Jk", "S: 235 ok", "C: QUIT"), true, "logged in"},
		{"wrong password", "smtp", logsIn, append(hello, "S: 250-mail", "S: 250 AUTH PLAIN", "C: AUTH PLAIN AHByb2JlAHBhc3Mgd29yZA==", "S: 535 5.7.8 no"), false,
			`reply "535 5.7.8 no" to AUTH, want 235`},
		{"no way to log in", "smtp", logsIn, append(hello, "S: 250-mail", "S: 250-AUTHOR PLAIN", "S: 250 AUTH GSSAPI"), false, "server offers no AUTH PLAIN or LOGIN"},
		{"no STARTTLS", "smtp", startsTLS, append(hello, "S: 250 mail", "C: STARTTLS", "S: 502 no"), false, `reply "502 no" to STARTTLS, want 220`},
		{"plaintext after STARTTLS", "smtp", startsTLS, append(hello, "S: 250 mail", "C: STARTTLS", "raw 220 go\r\n250 AUTH PLAIN\r\n"), false,
			"16 bytes in clear after the agreement on TLS: somebody may be in between"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.run(t) })
	}
}

func TestSTARTTLS(t *testing.T) {
	cert, other := newAuthority(t, "Test CA"), newAuthority(t, "Other CA")
	good := cert.issue(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour), "mail.example.com")
	secured := func(ca authority) func(*config.Monitor) {
		path := ca.file(t)
		return func(m *config.Monitor) {
			m.Security, m.TLS, m.Login = config.SecuritySTARTTLS, config.TLSProbe{Verify: true, CAFile: path, ServerName: "mail.example.com"}, somebody
		}
	}
	tests := []conversation{
		{"smtp", "smtp", secured(cert), []string{"S: 220 mail", "C: EHLO localhost", "S: 250 STARTTLS", "C: STARTTLS", "S: 220 go", "TLS", "C: EHLO localhost",
			"S: 250-mail", "S: 250 AUTH PLAIN", "C: AUTH PLAIN AHByb2JlAHBhc3Mgd29yZA==", "S: 235 ok", "C: QUIT"}, true, "logged in"},
		{"pop3", "pop3", secured(cert), []string{"S: +OK hi", "C: STLS", "S: +OK go", "TLS", "C: USER probe", "S: +OK", "C: PASS pass word", "S: +OK", "C: QUIT"}, true, "logged in"},
		{"imap", "imap", secured(cert), []string{"S: * OK hi", "C: a1 STARTTLS", "S: a1 OK go", "TLS", "C: a2 CAPABILITY", "S: * CAPABILITY IMAP4rev1", "S: a2 OK",
			`C: a3 LOGIN "probe" "pass word"`, "S: a3 OK", "C: a4 LOGOUT"}, true, "logged in"},
		{"ftp", "ftp", secured(cert), []string{"S: 220 hi", "C: AUTH TLS", "S: 234 go", "TLS", "C: USER probe", "S: 331 and", "C: PASS pass word", "S: 230 in", "C: QUIT"}, true, "logged in"},
		{"unknown authority", "pop3", secured(other), []string{"S: +OK hi", "C: STLS", "S: +OK go", "TLS", "silent"}, false, `certificate issued by unknown authority "Test CA"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := serviceMonitor(tt.kind)
			tt.change(&m)
			got := keyring(sayingTLS(t, good, tt.script...), "pass word").Probe(context.Background(), target("mail", "192.0.2.1:25", m))
			if got.OK != tt.ok || got.Reason != tt.want {
				t.Errorf("got %v %q, want %v %q", got.OK, got.Reason, tt.ok, tt.want)
			}
		})
	}
}

func TestPOP3(t *testing.T) {
	tests := []conversation{
		{"greeted", "pop3", nil, []string{"S: +OK hi", "C: QUIT", "S: +OK bye"}, true, "greeted"},
		{"refuses", "pop3", nil, []string{"S: -ERR [SYS/TEMP] later"}, false, `"-ERR [SYS/TEMP] later" to the greeting, want +OK`},
		{"login", "pop3", logsIn, []string{"S: +OK hi", "C: USER probe", "S: +OK", "C: PASS pass word", "S: +OK 2 messages", "C: QUIT"}, true, "logged in"},
		{"wrong password", "pop3", logsIn, []string{"S: +OK hi", "C: USER probe", "S: +OK", "C: PASS pass word", "S: -ERR no"}, false, `"-ERR no" to PASS, want +OK`},
		{"something else", "pop3", nil, []string{"S: 220 mail"}, false, `"220 mail", waiting for the greeting, is neither +OK nor -ERR`},
		{"plaintext after STLS", "pop3", startsTLS, []string{"S: +OK hi", "C: STLS", "raw +OK go\r\n+OK in\r\n"}, false, "8 bytes in clear after the agreement on TLS: somebody may be in between"},
		{"no such variable", "pop3", func(m *config.Monitor) { m.Login = &config.ProbeLogin{User: "x", Password: "env:NONE"} }, []string{"S: +OK hi"}, false,
			"login.password: variable NONE is not set"},
		{"a command in the name", "pop3", func(m *config.Monitor) { m.Login = &config.ProbeLogin{User: "x\r\nDELE 1", Password: "env:X"} }, []string{"S: +OK hi"}, false,
			"what the monitor has to send has a line end or a NUL in it: look at login and the password"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.run(t) })
	}
}

func TestIMAP(t *testing.T) {
	hello := []string{"S: * OK hi", "C: a1 CAPABILITY"}
	capable := append(hello, "S: * CAPABILITY IMAP4rev1 AUTH=PLAIN", "S: a1 OK done")
	foreign := func(m *config.Monitor) { m.Login = &config.ProbeLogin{User: "jürgen", Password: "env:X"} }
	tests := []conversation{
		{"greeted", "imap", nil, append(capable, "C: a2 LOGOUT", "S: * BYE"), true, "greeted"},
		{"greeted as known", "imap", nil, append([]string{"S: * PREAUTH hi", "C: a1 CAPABILITY"}, append(capable[2:], "C: a2 LOGOUT")...), true, "greeted"},
		{"login", "imap", logsIn, append(capable, `C: a2 LOGIN "probe" "pass word"`, "S: * 3 EXISTS", "S: a2 OK in", "C: a3 LOGOUT"), true, "logged in"},
		{"quotes", "imap", func(m *config.Monitor) { m.Login = &config.ProbeLogin{User: `a"b\c`, Password: "env:X"} },
			append(capable, `C: a2 LOGIN "a\"b\\c" "pass word"`, "S: a2 OK in", "C: a3 LOGOUT"), true, "logged in"},
		{"wrong password", "imap", logsIn, append(capable, `C: a2 LOGIN "probe" "pass word"`, "S: a2 NO [AUTHENTICATIONFAILED] no"), false,
			`"a2 NO [AUTHENTICATIONFAILED] no" to LOGIN, want OK`},
		{"letters that LOGIN has not", "imap", foreign, append(capable, "C: a2 AUTHENTICATE PLAIN", "S: + ", "C: AGrDvHJnZW4AcGFzcyB3b3Jk", "S: a2 OK in", "C: a3 LOGOUT"), true, "logged in"},
		{"and no other way", "imap", foreign, append(hello, "S: * CAPABILITY IMAP4rev1", "S: a1 OK"), false, "server offers no LOGIN and no AUTH=PLAIN for this login"},
		{"LOGIN disabled", "imap", logsIn, append(hello, "S: * CAPABILITY IMAP4rev1 LOGINDISABLED", "S: a1 OK"), false, "server offers no LOGIN and no AUTH=PLAIN for this login"},
		{"AUTHENTICATE refused", "imap", foreign, append(capable, "C: a2 AUTHENTICATE PLAIN", "S: a2 NO not so"), false, `"a2 NO not so" to AUTHENTICATE, want OK`},
		{"refuses", "imap", nil, []string{"S: * BYE overloaded"}, false, `greeting "* BYE overloaded", want OK`},
		{"goes away", "imap", logsIn, append(capable, `C: a2 LOGIN "probe" "pass word"`, "S: * BYE going down"), false, `"* BYE going down" to LOGIN, want OK`},
		{"known before STARTTLS", "imap", startsTLS, []string{"S: * PREAUTH hi"}, false, `greeting "* PREAUTH hi", want OK: STARTTLS is not possible after it`},
		{"known before the login", "imap", logsIn, []string{"S: * PREAUTH hi"}, false, `greeting "* PREAUTH hi", want OK: somebody is logged in already`},
		{"of old", "imap", nil, append(hello, "S: * CAPABILITY IMAP2", "S: a1 OK"), false, "CAPABILITY lists no IMAP4rev1 and no IMAP4rev2"},
		{"something else", "imap", nil, []string{"S: +OK pop"}, false, `"+OK pop" is no greeting of an IMAP server`},
		{"another tag", "imap", nil, append(hello, "S: b1 OK"), false, `"b1 OK", waiting for the answer to CAPABILITY, is no answer of an IMAP server`},
		{"endless answer", "imap", nil, append(hello, "endless * CAPABILITY IMAP4rev1"), false, "answer above 100 lines waiting for the answer to CAPABILITY"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.run(t) })
	}
}

func TestFTP(t *testing.T) {
	in := []string{"S: 220 hi", "C: USER anonymous", "S: 331 and", "C: PASS fairlead@", "S: 230 in"}
	looking := func(m *config.Monitor) { m.FTP = &config.FTPProbe{File: "pub/a b.txt"} }
	tests := []conversation{
		{"anonymous", "ftp", nil, append(in, "C: QUIT", "S: 221 bye"), true, "logged in"},
		{"text between", "ftp", nil, append([]string{"S: 220-hi", "S: 221 is not the end", "S:  indented", "S: 220 done"}, append(in[1:], "C: QUIT")...), true, "logged in"},
		{"login", "ftp", logsIn, []string{"S: 220 hi", "C: USER probe", "S: 331 and", "C: PASS pass word", "S: 230 in", "C: QUIT"}, true, "logged in"},
		{"no password wanted", "ftp", logsIn, []string{"S: 220 hi", "C: USER probe", "S: 230 in", "C: QUIT"}, true, "logged in"},
		{"wrong password", "ftp", logsIn, []string{"S: 220 hi", "C: USER probe", "S: 331 and", "C: PASS pass word", "S: 530 no"}, false, `reply "530 no" to PASS, want 230`},
		{"not yet", "ftp", nil, []string{"S: 120 in 5 minutes"}, false, `greeting "120 in 5 minutes", want 220`},
		{"file", "ftp", looking, append(in, "C: TYPE I", "S: 200 ok", "C: SIZE pub/a b.txt", "S: 213 1048576", "C: QUIT"), true, `"pub/a b.txt" has 1048576 bytes`},
		{"no file", "ftp", looking, append(in, "C: TYPE I", "S: 200 ok", "C: SIZE pub/a b.txt", "S: 550 none"), false, `reply "550 none" to SIZE, want 213`},
		{"no size", "ftp", looking, append(in, "C: TYPE I", "S: 200 ok", "C: SIZE pub/a b.txt", "S: 213 -1"), false, `reply "213 -1" to SIZE has no size`},
		{"no TLS", "ftp", startsTLS, []string{"S: 220 hi", "C: AUTH TLS", "S: 534 no"}, false, `reply "534 no" to AUTH, want 234`},
		{"plaintext after AUTH", "ftp", startsTLS, []string{"S: 220 hi", "C: AUTH TLS", "raw 234 go\r\n230 in\r\n"}, false, "8 bytes in clear after the agreement on TLS: somebody may be in between"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.run(t) })
	}
}

// TestSecretsAreNotRepeated: servers that repeat the command that they do not take get no password into a reason, a trace or a value.
func TestSecretsAreNotRepeated(t *testing.T) {
	const password = `pa"ss word`
	plain := base64.StdEncoding.EncodeToString([]byte("\x00probe\x00" + password))
	word := base64.StdEncoding.EncodeToString([]byte(password))
	capable := []string{"S: * OK hi", "C: a1 CAPABILITY", "S: * CAPABILITY IMAP4rev1", "S: a1 OK done", `C: a2 LOGIN "probe" "pa\"ss word"`}
	for _, tt := range []struct {
		kind   config.MonitorType
		script []string
		want   string
	}{
		{"smtp", []string{"S: 220 mail", "C: EHLO localhost", "S: 250-mail", "S: 250 AUTH PLAIN", "C: AUTH PLAIN " + plain, "S: 502 AUTH PLAIN " + plain}, `reply "502 AUTH PLAIN ***" to AUTH, want 235`},
		{"smtp", []string{"S: 220 mail", "C: EHLO localhost", "S: 250-mail", "S: 250 AUTH LOGIN", "C: AUTH LOGIN", "S: 334", "C: cHJvYmU=", "S: 334", "C: " + word, "S: 500 " + word + "?"},
			`reply "500 ***?" to AUTH, want 235`},
		{"ftp", []string{"S: 220 hi", "C: USER probe", "S: 331 and", "C: PASS " + password, "S: 500 'PASS " + password + "' not understood"}, `reply "500 'PASS ***' not understood" to PASS, want 230`},
		{"pop3", []string{"S: +OK hi", "C: USER probe", "S: +OK", "C: PASS " + password, "S: -ERR this command is unknown here: PASS " + password}, `"-ERR this command is unknown here: PASS "... to PASS, want +OK`},
		{"imap", append(capable, `S: a2 BAD LOGIN "probe" "pa\"ss word"`), `"a2 BAD LOGIN \"probe\" ***" to LOGIN, want OK`},
		{"redis", []string{"C: *3", "C: $4", "C: AUTH", "C: $5", "C: probe", "C: $10", "C: " + password,
			"S: -ERR unknown command 'AUTH', with args beginning with: 'probe' '" + password + "' "}, "server says ERR unknown command 'AUTH', with args beginning with: 'probe' '***' "},
		{"redis", []string{"C: *3", "C: $4", "C: AUTH", "C: $5", "C: probe", "C: $10", "C: " + password, "S: ? this is not a command here: " + password},
			`answer is not Redis's: "? this is not a command here: ***"`},
	} {
		synctest.Test(t, func(t *testing.T) {
			m := serviceMonitor(tt.kind)
			m.Login = somebody
			got := keyring(saying(t, tt.script...), password).Trace(context.Background(), target("mail", "127.0.0.1:25", m))
			if got.OK || got.Reason != tt.want {
				t.Errorf("%s: got %v %q, want %q", tt.kind, got.OK, got.Reason, tt.want)
			}
			for _, secret := range []string{"ss word", plain, word} {
				if all := fmt.Sprintf("%+v", got); strings.Contains(all, secret) {
					t.Errorf("%s shows the secret: %s", tt.kind, all)
				}
			}
		})
	}
}

func TestHostileLines(t *testing.T) {
	for _, kind := range []config.MonitorType{"smtp", "pop3", "imap", "ftp"} {
		start := map[config.MonitorType]string{"smtp": "220-", "ftp": "220-", "pop3": "+OK ", "imap": "* OK "}[kind]
		tests := []conversation{
			{"silent", kind, nil, []string{"silent"}, false, "timed out after 5s waiting for the greeting"},
			{"drips", kind, nil, []string{"drip " + start}, false, "timed out after 5s waiting for the greeting"},
			{"closes", kind, nil, nil, false, "connection closed waiting for the greeting"},
			{"closes in a line", kind, nil, []string{"raw " + start}, false, "connection closed waiting for the greeting"},
			{"endless line", kind, nil, []string{"raw " + start + strings.Repeat("x", 1<<20)}, false, "line above 4 KiB waiting for the greeting"},
			{"password in clear", kind, func(m *config.Monitor) {
				logsIn(m)
				m.Target = &config.ProbeTarget{Address: target("", "192.0.2.1:0", *m).Address.Addr()}
			}, nil, false,
				"the password would travel in clear: set security: tls or starttls, or login.in_clear: true"},
		}
		if kind == "smtp" || kind == "ftp" {
			tests = append(tests,
				conversation{"endless reply", kind, nil, []string{"endless 220-x"}, false, "reply above 100 lines waiting for the greeting"},
				conversation{"garbage", kind, nil, []string{"S: \x16\x03\x01 hello"}, false, `"\x16\x03\x01 hello", waiting for the greeting, is no reply with a code`},
				conversation{"no code", kind, nil, []string{"S: 99"}, false, `"99", waiting for the greeting, is no reply with a code`},
				conversation{"empty line", kind, nil, []string{"S: "}, false, `"", waiting for the greeting, is no reply with a code`})
		}
		for _, tt := range tests {
			t.Run(string(kind)+"/"+tt.name, func(t *testing.T) { tt.run(t) })
		}
	}
}

func TestPasswordInClearWhenAllowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := serviceMonitor(config.MonitorPOP3)
		m.Login = &config.ProbeLogin{User: "probe", Password: "env:X", InClear: true}
		p := keyring(saying(t, "S: +OK", "C: USER probe", "S: +OK", "C: PASS pass word", "S: +OK", "C: QUIT"), "pass word")
		if got := p.Probe(context.Background(), target("mail", "192.0.2.1:110", m)); !got.OK {
			t.Errorf("got %q, want success", got.Reason)
		}
	})
}

// FuzzLines feeds whatever a server may say to each kind that speaks in lines.
func FuzzLines(f *testing.F) {
	for _, seed := range []string{"220 hi\r\n250-mail\r\n250 AUTH PLAIN\r\n235 ok\r\n221 bye\r\n", "+OK hi\r\n+OK\r\n+OK\r\n", "* OK hi\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\na1 OK\r\na2 OK\r\n",
		"220-hi\n 220\n220 x\n331 and\n230 in\n200 ok\n213 7\n", "SIP/2.0 200 OK\r\nVia: x\r\n\r\n", "220"} {
		f.Add([]byte(seed))
	}
	kinds := []config.MonitorType{config.MonitorSMTP, config.MonitorPOP3, config.MonitorIMAP, config.MonitorFTP}
	f.Fuzz(func(t *testing.T, answer []byte) {
		for _, kind := range kinds {
			m := serviceMonitor(kind)
			m.Login, m.FTP = somebody, &config.FTPProbe{File: "x"}
			got := keyring(canned(answer), "pass word").Probe(context.Background(), target("mail", "127.0.0.1:25", m))
			if got.Reason == "" || strings.ContainsAny(got.Reason, "\r\n") {
				t.Errorf("%s: reason %q", kind, got.Reason)
			}
		}
	})
}
