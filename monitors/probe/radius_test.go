package probe

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"fairlead/config"
)

func fromHex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestRADIUSExamples: the packets that RFC 2865 section 7.1 and RFC 5997 section 6.1 show.
func TestRADIUSExamples(t *testing.T) {
	const secret = "xyzzy5461"
	authenticator := [16]byte(fromHex(t, "0f403f9473978057bd83d5cb98f4227a"))
	if got, want := hidePassword("arctangent", secret, authenticator), fromHex(t, "0dbe708d93d413ce3196e43f782a0aee"); !bytes.Equal(got, want) {
		t.Errorf("User-Password: got %x, want %x", got, want)
	}
	accept, err := parseRADIUS(fromHex(t, "02 00 00 26 86 fe 22 0e 76 24 ba 2a 10 05 f6 bf 9b 55 e0 b2 06 06 00 00 00 01 0f 06 00 00 00 00 0e 06 c0 a8 01 03"))
	if err != nil || accept.code() != radiusAccessAccept {
		t.Fatalf("got %+v, %v", accept, err)
	}
	if err := accept.signed(authenticator, secret); err != nil {
		t.Error(err)
	}
	if err := accept.signed(authenticator, "another"); err == nil {
		t.Error("signed with another secret, too")
	}
	if err := accept.unforged(authenticator, secret); err == nil || !strings.Contains(err.Error(), "no Message-Authenticator") {
		t.Errorf("got %v, want that it may be forged", err)
	}
	status := fromHex(t, "0c da 00 26 8a 54 f4 68 6f b3 94 c5 28 66 e3 02 18 5d 06 23 50 12 5a 66 5e 2e 1e 84 11 f3 e2 43 82 20 97 c8 4f a3")
	w := radiusWriter{raw: append([]byte{0, status[1], 0, 0}, status[4:20]...)}
	w.start(radiusStatusServer)
	w.reserveAuthenticator()
	if got := w.sign(secret); !bytes.Equal(got, status) {
		t.Errorf("Status-Server: got %x, want %x", got, status)
	}
}

func TestHidePasswordInBlocks(t *testing.T) {
	for length, want := range map[int]int{0: 16, 1: 16, 16: 16, 17: 32, 128: 128} {
		if got := len(hidePassword(strings.Repeat("x", length), "s", [16]byte{})); got != want {
			t.Errorf("%d bytes become %d, want %d", length, got, want)
		}
	}
}

// radiusAnswer answers a request as a server with this secret does.
func radiusAnswer(request []byte, secret string, code byte, signs bool) []byte {
	w := radiusWriter{raw: append([]byte{code, request[1], 0, 0}, request[4:20]...)}
	if signs {
		w.reserveAuthenticator()
	}
	w.attribute(18, []byte("Hello, probe"))
	binary.BigEndian.PutUint16(w.raw[2:], uint16(len(w.raw)))
	if signs {
		copy(w.raw[w.authenticator:], messageAuthenticator(w.raw, w.authenticator, [16]byte(request[4:]), secret))
	}
	sum := md5.Sum(append(bytes.Clone(w.raw), secret...))
	copy(w.raw[4:], sum[:])
	return w.raw
}

func TestRADIUS(t *testing.T) {
	const secret = "xyzzy5461" // what probeDatagrams has for every secret
	says := func(code byte) func([]byte) []byte {
		return func(q []byte) []byte { return radiusAnswer(q, secret, code, true) }
	}
	spoiled := func(at int) func([]byte) []byte {
		return func(q []byte) []byte {
			a := radiusAnswer(q, secret, radiusAccessAccept, true)
			a[at]++
			return a
		}
	}
	access, reject, anyhow := config.RADIUSProbe{}, config.RADIUSProbe{Expect: config.RADIUSReject}, config.RADIUSProbe{Expect: config.RADIUSAny}
	status, accounting := config.RADIUSProbe{Mode: config.RADIUSStatus}, config.RADIUSProbe{Mode: config.RADIUSAccounting}
	tests := []struct {
		name   string
		probe  config.RADIUSProbe
		answer func(request []byte) []byte
		ok     bool
		want   string
	}{
		{"accept", access, says(radiusAccessAccept), true, "Access-Accept"},
		{"reject", access, says(radiusAccessReject), false, "Access-Reject, want Access-Accept"},
		{"challenge", access, says(radiusAccessChallenge), false, "Access-Challenge, want Access-Accept"},
		{"reject wanted", reject, says(radiusAccessReject), true, "Access-Reject"},
		{"accept not wanted", reject, says(radiusAccessAccept), false, "Access-Accept, want Access-Reject"},
		{"any", anyhow, says(radiusAccessChallenge), true, "Access-Challenge"},
		{"another kind", anyhow, says(radiusAccountingResponse), false, "Accounting-Response, want an answer to Access-Request"},
		{"status", status, says(radiusAccessAccept), true, "Access-Accept"},
		{"status of accounting", status, says(radiusAccountingResponse), true, "Accounting-Response"},
		{"status rejected", status, says(radiusAccessReject), false, "Access-Reject, want Access-Accept or Accounting-Response"},
		{"accounting", accounting, func(q []byte) []byte { return radiusAnswer(q, secret, radiusAccountingResponse, false) }, true, "Accounting-Response"},
		{"accounting otherwise", accounting, says(42), false, "code 42, want Accounting-Response"},
		{"can be forged", access, func(q []byte) []byte { return radiusAnswer(q, secret, radiusAccessAccept, false) }, false,
			"answer has no Message-Authenticator, so that it can be forged (CVE-2024-3596): have the server send it"},
		{"another secret", access, func(q []byte) []byte { return radiusAnswer(q, "other", radiusAccessAccept, true) }, false,
			"answer has a wrong Response Authenticator: compare radius.secret with the server's"},
		{"changed on the way", access, spoiled(25), false, "answer has a wrong Response Authenticator: compare radius.secret with the server's"},
		{"another request's", access, spoiled(1), false, "packet answers something else"},
		{"wrong Message-Authenticator", access, func(q []byte) []byte {
			a := radiusAnswer(q, secret, radiusAccessAccept, true)
			a[22]++
			copy(a[4:], q[4:20])
			sum := md5.Sum(append(bytes.Clone(a), secret...))
			copy(a[4:], sum[:])
			return a
		}, false, "answer has a wrong Message-Authenticator"},
		{"short", access, func([]byte) []byte { return make([]byte, 18) }, false, "packet of 19 bytes is no RADIUS"},
		{"longer than it is", access, func(q []byte) []byte { return append([]byte{2, q[1], 1, 0}, make([]byte, 16)...) }, false, "RADIUS packet of 21 bytes says that it has 256"},
		{"attribute without end", access, func(q []byte) []byte { return append([]byte{2, q[1], 0, 22}, append(make([]byte, 16), 18, 9)...) }, false,
			"RADIUS attribute at byte 20 does not end within its packet"},
		{"attribute of no length", access, func(q []byte) []byte { return append([]byte{2, q[1], 0, 22}, append(make([]byte, 16), 18, 0)...) }, false,
			"RADIUS attribute at byte 20 does not end within its packet"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := serviceMonitor(config.MonitorRADIUS)
			m.RADIUS, m.Login = &tt.probe, somebody
			m.RADIUS.Secret = "env:SHARED"
			got, took := probeDatagrams(t, m, func(_ int, request []byte) [][]byte {
				checkRADIUSRequest(t, request, secret)
				return [][]byte{append(tt.answer(request), 0xFF)} // padding
			})
			if got.OK != tt.ok || got.Reason != tt.want {
				t.Errorf("got %v %q, want %v %q", got.OK, got.Reason, tt.ok, tt.want)
			}
			if got.OK && took != 0 {
				t.Errorf("took %v, want no wait", took)
			}
		})
	}
}

// checkRADIUSRequest checks a request as a careful server does.
func checkRADIUSRequest(t *testing.T, request []byte, secret string) {
	t.Helper()
	p, err := parseRADIUS(request)
	if err != nil || len(p.raw) != len(request) {
		t.Fatalf("request %x: %v", request, err)
	}
	if p.code() == radiusAccountingRequest {
		if err := p.signed([16]byte{}, secret); err != nil {
			t.Errorf("request: %v", err)
		}
		return
	}
	if p.authenticator != radiusHeaderBytes+2 {
		t.Errorf("request %x: Message-Authenticator is not first", request)
	}
	if err := p.unforged([16]byte(request[4:]), secret); err != nil {
		t.Errorf("request: %v", err)
	}
	if bytes.Contains(request, []byte("xyzzy")) { // the password, too
		t.Errorf("request %x shows a secret", request)
	}
}

func TestRADIUSRequestsDiffer(t *testing.T) {
	seen := map[string]bool{}
	m := serviceMonitor(config.MonitorRADIUS)
	m.RADIUS = &config.RADIUSProbe{Secret: "env:X", Mode: config.RADIUSStatus}
	for range 5 {
		probeDatagrams(t, m, func(number int, request []byte) [][]byte {
			if number == 1 {
				seen[string(request[4:20])] = true
			}
			return nil
		})
	}
	if len(seen) != 5 {
		t.Errorf("%d authenticators in 5 requests", len(seen))
	}
}

func TestRADIUSWithoutWhatItNeeds(t *testing.T) {
	for _, tt := range []struct {
		probe    config.RADIUSProbe
		login    *config.ProbeLogin
		password string
		want     string
	}{
		{config.RADIUSProbe{}, somebody, "x", "radius.secret is empty: a server and its clients share one"},
		{config.RADIUSProbe{Secret: "env:NONE"}, somebody, "x", "radius.secret: variable NONE is not set"},
		{config.RADIUSProbe{Secret: "env:X"}, nil, "x", "an Access-Request needs login.user"},
		{config.RADIUSProbe{Secret: "env:X"}, somebody, strings.Repeat("x", 129), "password of 129 bytes; RADIUS has at most 128"},
	} {
		m := serviceMonitor(config.MonitorRADIUS)
		m.RADIUS, m.Login = &tt.probe, tt.login
		if got := keyring(nil, tt.password).Probe(context.Background(), target("aaa", "192.0.2.1:1812", m)); got.OK || got.Reason != tt.want {
			t.Errorf("got %q, want %q", got.Reason, tt.want)
		}
	}
}

func FuzzRADIUS(f *testing.F) {
	request := append([]byte{12, 7, 0, 20}, make([]byte, 16)...)
	f.Add(radiusAnswer(request, "s", radiusAccessAccept, true))
	f.Add(radiusAnswer(request, "s", radiusAccessReject, false))
	f.Add([]byte{2, 7, 0, 20})
	f.Fuzz(func(t *testing.T, packet []byte) {
		p, err := parseRADIUS(packet)
		if err != nil {
			return
		}
		if len(p.raw) > len(packet) || p.authenticator != 0 && p.authenticator+md5.Size > len(p.raw) {
			t.Fatalf("%x: %+v", packet, p)
		}
		signed := p.signed([16]byte{}, "s") == nil
		_ = p.unforged([16]byte{}, "s")
		if signed && p.signed([16]byte{1}, "s") == nil {
			t.Errorf("%x answers two requests", packet)
		}
	})
}
