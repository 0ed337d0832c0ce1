package transfer

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// TestSignerTwin: each message of a signed transfer holds in the other implementation.
func TestSignerTwin(t *testing.T) {
	packed, mac := twin(t, question(), "fetch.", dns.HmacSHA256, testSecret, "", false, nil)
	sig := testKeys(t).Verify(packed, time.Now())
	s := signer{sig: &sig, now: time.Now}
	for i := range 4 {
		response, err := new(dns.Msg).SetReply(question()).Pack()
		if err != nil {
			t.Fatal(err)
		}
		signed, err := s.sign(response)
		if err != nil {
			t.Fatal(err)
		}
		if err := dns.TsigVerify(slices.Clone(signed), encoded(testSecret), mac, i > 0); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
		m := new(dns.Msg)
		if err := m.Unpack(signed); err != nil {
			t.Fatal(err)
		}
		mac = m.IsTsig().MAC
	}
}

// TestLongTransferIsSignedAnew: a transfer that takes longer than clocks may differ holds to its end.
func TestLongTransferIsSignedAnew(t *testing.T) {
	keys, now := testKeys(t), time.Now()
	clock := func() time.Time { return now }
	request, err := question().Pack()
	if err != nil {
		t.Fatal(err)
	}
	request, mac, err := keys.Find("fetch").signRequest(request, now)
	if err != nil {
		t.Fatal(err)
	}
	sig := keys.Verify(request, now)
	s, check := signer{sig: &sig, now: clock}, checker{key: keys.Find("fetch"), prior: mac, now: clock}
	for i := range 4 {
		response, err := new(dns.Msg).SetReply(question()).Pack()
		if err != nil {
			t.Fatal(err)
		}
		signed, err := s.sign(response)
		if err != nil {
			t.Fatal(err)
		}
		if err := check.check(signed); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
		now = now.Add(fudgeSeconds * time.Second)
	}
}

// stream is a signed answer made by the other implementation, one message each.
func signedStream(t *testing.T, prior string, signed []bool) [][]byte {
	t.Helper()
	var out [][]byte
	for i, with := range signed {
		m := new(dns.Msg).SetReply(question())
		if !with {
			packed, err := m.Pack()
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, packed)
			continue
		}
		packed, mac := twin(t, m, "fetch.", dns.HmacSHA256, testSecret, prior, i > 0, nil)
		prior = mac
		out = append(out, packed)
	}
	return out
}

func TestChecker(t *testing.T) {
	keys := testKeys(t)
	packed, err := question().Pack()
	if err != nil {
		t.Fatal(err)
	}
	_, mac, err := keys.Find("fetch").signRequest(packed, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	prior := hex.EncodeToString(mac)
	all := []bool{true, true, true}
	for name, c := range map[string]struct {
		stream [][]byte
		change func([][]byte)
		want   string // in the error
	}{
		"all signed":     {signedStream(t, prior, all), nil, ""},
		"first unsigned": {signedStream(t, prior, []bool{false, true}), nil, "not signed"},
		"last unsigned":  {signedStream(t, prior, []bool{true, false}), nil, "last message is not signed"},
		"other request":  {signedStream(t, strings.Repeat("00", 32), all), nil, "wrong"},
		"first changed":  {signedStream(t, prior, all), func(s [][]byte) { s[0][20] ^= 1 }, "wrong"},
		"second changed": {signedStream(t, prior, all), func(s [][]byte) { s[1][20] ^= 1 }, "wrong"},
		"one left out":   {signedStream(t, prior, all), func(s [][]byte) { s[1] = s[2] }, "wrong"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.change != nil {
				c.change(c.stream)
			}
			check := checker{key: keys.Find("fetch"), prior: mac, now: time.Now}
			var err error
			for _, m := range c.stream {
				if err = check.check(m); err != nil {
					break
				}
			}
			if err == nil {
				err = check.end()
			}
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestCheckerUnsignedBetween: a server may sign every hundredth message; the next signature covers those before.
func TestCheckerUnsignedBetween(t *testing.T) {
	keys := testKeys(t)
	request, err := question().Pack()
	if err != nil {
		t.Fatal(err)
	}
	key := keys.Find("fetch")
	_, mac, err := key.signRequest(slices.Clone(request), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		unsigned int
		tamper   bool
		good     bool
	}{{0, false, true}, {1, false, true}, {99, false, true}, {100, false, false}, {50, true, false}} {
		check := checker{key: key, prior: mac, now: time.Now}
		first := signedStream(t, hex.EncodeToString(mac), []bool{true})[0]
		err := check.check(first)
		last, _ := findTSIG(first)
		h := key.mac()
		digestPrior(h, last.mac)
		for i := range c.unsigned {
			m := append([]byte(nil), request...)
			h.Write(m)
			if c.tamper && i == 7 {
				m[20] ^= 1
			}
			if err == nil {
				err = check.check(m)
			}
		}
		final := append([]byte(nil), request...)
		ts := &tsigRecord{start: len(final), time: seconds(time.Now()), fudge: fudgeSeconds, originalID: uint16(final[0])<<8 | uint16(final[1])}
		ts.digestMessage(h, final)
		ts.digestVariables(h, key, true)
		ts.mac = h.Sum(nil)
		if err == nil {
			err = check.check(ts.append(final, key.nameWire, key.algoWire))
		}
		if err == nil {
			err = check.end()
		}
		if (err == nil) != c.good {
			t.Errorf("%d unsigned, tampered %v: got %v, want good %v", c.unsigned, c.tamper, err, c.good)
		}
	}
}

func TestCheckerClock(t *testing.T) {
	key := testKeys(t).Find("fetch")
	packed, _ := question().Pack()
	_, mac, _ := key.signRequest(packed, time.Now())
	stream := signedStream(t, hex.EncodeToString(mac), []bool{true})
	check := checker{key: key, prior: mac, now: func() time.Time { return time.Now().Add(time.Hour) }}
	if err := check.check(stream[0]); err == nil || !strings.Contains(err.Error(), "clock") {
		t.Errorf("got %v, want an error about the clock", err)
	}
}

func TestUnaskedSignature(t *testing.T) {
	var check checker
	if err := check.check(signedStream(t, "", []bool{true})[0]); err == nil {
		t.Error("a signed answer to an unsigned request was taken")
	}
}
