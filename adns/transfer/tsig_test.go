package transfer

import (
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"

	"fairlead/config"

	"github.com/miekg/dns"
)

const testSecret = "0123456789abcdef0123456789abcdef"

func testKeys(t testing.TB) *Keys {
	t.Helper()
	keys, err := NewKeys([]Secret{{"fetch", config.HMACSHA256, []byte(testSecret)}, {"long.Example.", config.HMACSHA512, []byte(testSecret)},
		{"mid", config.HMACSHA384, []byte(testSecret)}, {"small", config.HMACSHA224, []byte(testSecret)}})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func encoded(secret string) string { return base64.StdEncoding.EncodeToString([]byte(secret)) }

// twin signs a message with the other implementation.
func twin(t testing.TB, m *dns.Msg, name, algorithm, secret, prior string, timersOnly bool, change func(*dns.TSIG)) (packed []byte, mac string) {
	t.Helper()
	m = m.Copy()
	m.SetTsig(name, algorithm, fudgeSeconds, time.Now().Unix())
	if change != nil {
		change(m.IsTsig())
	}
	packed, mac, err := dns.TsigGenerate(m, encoded(secret), prior, timersOnly)
	if err != nil {
		t.Fatal(err)
	}
	return packed, mac
}

func question() *dns.Msg { return new(dns.Msg).SetQuestion("www.example.test.", dns.TypeA) }

// TestVerifyTwin: what another implementation signs holds, in all algorithms, and its answer holds there.
func TestVerifyTwin(t *testing.T) {
	keys := testKeys(t)
	for name, c := range map[string]struct{ key, algorithm string }{
		"sha256": {"fetch.", dns.HmacSHA256}, "sha512": {"long.example.", dns.HmacSHA512}, "sha384": {"mid.", dns.HmacSHA384},
		"sha224": {"small.", dns.HmacSHA224}, "upper case": {"FETCH.", "HMAC-sha256."},
	} {
		t.Run(name, func(t *testing.T) {
			q := question().SetEdns0(1232, false)
			packed, mac := twin(t, q, c.key, c.algorithm, testSecret, "", false, nil)
			sig := keys.Verify(packed, time.Now())
			if sig.Rcode != dns.RcodeSuccess || sig.Key() != strings.ToLower(c.key) {
				t.Fatalf("got rcode %d, error %d, key %q", sig.Rcode, sig.Error, sig.Key())
			}
			binary.BigEndian.PutUint16(packed, 4711) // a forwarder changed the ID; the TSIG has the original one
			if sig := keys.Verify(packed, time.Now()); sig.Rcode != dns.RcodeSuccess {
				t.Errorf("with another ID: rcode %d, error %d", sig.Rcode, sig.Error)
			}
			response, err := new(dns.Msg).SetReply(q).Pack()
			if err != nil {
				t.Fatal(err)
			}
			before := len(response)
			signed, err := sig.Sign(response)
			if err != nil {
				t.Fatal(err)
			}
			if got := len(signed) - before; got != sig.Room() {
				t.Errorf("the signature has %d octets, Room says %d", got, sig.Room())
			}
			if err := dns.TsigVerify(slices.Clone(signed), encoded(testSecret), mac, false); err != nil {
				t.Errorf("the answer does not hold: %v", err)
			}
			signed[20] ^= 1
			if err := dns.TsigVerify(slices.Clone(signed), encoded(testSecret), mac, false); err == nil {
				t.Error("a changed answer holds")
			}
		})
	}
}

// insecurely moves the TSIG to another place or changes it after signing.
func repacked(t *testing.T, packed []byte, change func(*dns.Msg)) []byte {
	t.Helper()
	m := new(dns.Msg)
	if err := m.Unpack(packed); err != nil {
		t.Fatal(err)
	}
	change(m)
	out, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestVerifyRefuses(t *testing.T) {
	keys := testKeys(t)
	sign := func(change func(*dns.TSIG)) []byte {
		packed, _ := twin(t, question(), "fetch.", dns.HmacSHA256, testSecret, "", false, change)
		return packed
	}
	other := func(name, algorithm, secret string) []byte {
		packed, _ := twin(t, question(), name, algorithm, secret, "", false, nil)
		return packed
	}
	cut := func(hexDigits int) func(*dns.Msg) {
		return func(m *dns.Msg) {
			m.IsTsig().MAC = m.IsTsig().MAC[:hexDigits]
			m.IsTsig().MACSize = uint16(hexDigits / 2)
		}
	}
	for name, c := range map[string]struct {
		request []byte
		rcode   int
		err     uint16
		signed  bool // the answer has a MAC
	}{
		"unknown key":     {other("nobody.", dns.HmacSHA256, testSecret), dns.RcodeNotAuth, dns.RcodeBadKey, false},
		"other algorithm": {other("fetch.", dns.HmacSHA512, testSecret), dns.RcodeNotAuth, dns.RcodeBadKey, false},
		"weak algorithm":  {other("fetch.", dns.HmacSHA1, testSecret), dns.RcodeNotAuth, dns.RcodeBadKey, false},
		"other secret":    {other("fetch.", dns.HmacSHA256, "another secret, of no use at all"), dns.RcodeNotAuth, dns.RcodeBadSig, false},
		"old":             {sign(func(r *dns.TSIG) { r.TimeSigned -= fudgeSeconds + 2 }), dns.RcodeNotAuth, dns.RcodeBadTime, true},
		"from the future": {sign(func(r *dns.TSIG) { r.TimeSigned += fudgeSeconds + 2 }), dns.RcodeNotAuth, dns.RcodeBadTime, true},
		"last second":     {sign(func(r *dns.TSIG) { r.TimeSigned = 1<<48 - 1 }), dns.RcodeNotAuth, dns.RcodeBadTime, true},
		"last, wide":      {sign(func(r *dns.TSIG) { r.TimeSigned, r.Fudge = 1<<48-1, 65535 }), dns.RcodeNotAuth, dns.RcodeBadTime, true},
		"narrow":          {sign(func(r *dns.TSIG) { r.TimeSigned, r.Fudge = r.TimeSigned-20, 10 }), dns.RcodeNotAuth, dns.RcodeBadTime, true},
		"second 1":        {sign(func(r *dns.TSIG) { r.TimeSigned = 1 }), dns.RcodeNotAuth, dns.RcodeBadTime, true},
		"cut MAC":         {repacked(t, sign(nil), cut(32)), dns.RcodeNotAuth, dns.RcodeBadTrunc, true},
		"cut too short":   {repacked(t, sign(nil), cut(30)), dns.RcodeFormatError, 0, false},
		"no MAC":          {repacked(t, sign(nil), cut(0)), dns.RcodeFormatError, 0, false},
		"long MAC": {repacked(t, sign(nil), func(m *dns.Msg) {
			m.IsTsig().MAC += "00"
			m.IsTsig().MACSize++
		}), dns.RcodeFormatError, 0, false},
		"not last":        {repacked(t, sign(nil), func(m *dns.Msg) { m.SetEdns0(1232, false) }), dns.RcodeFormatError, 0, false},
		"twice":           {repacked(t, sign(nil), func(m *dns.Msg) { m.Extra = append(m.Extra, m.Extra[0]) }), dns.RcodeFormatError, 0, false},
		"as an answer":    {repacked(t, sign(nil), func(m *dns.Msg) { m.Answer, m.Extra = m.Extra, nil }), dns.RcodeFormatError, 0, false},
		"as authority":    {repacked(t, sign(nil), func(m *dns.Msg) { m.Ns, m.Extra = m.Extra, nil }), dns.RcodeFormatError, 0, false},
		"class IN":        {repacked(t, sign(nil), func(m *dns.Msg) { m.Extra[0].Header().Class = dns.ClassINET }), dns.RcodeFormatError, 0, false},
		"TTL 1":           {repacked(t, sign(nil), func(m *dns.Msg) { m.Extra[0].Header().Ttl = 1 }), dns.RcodeFormatError, 0, false},
		"more behind":     {append(sign(nil), 0), dns.RcodeFormatError, 0, false},
		"changed message": {repacked(t, sign(nil), func(m *dns.Msg) { m.RecursionDesired = false }), dns.RcodeNotAuth, dns.RcodeBadSig, false},
		"other data":      {repacked(t, sign(nil), func(m *dns.Msg) { m.IsTsig().OtherLen, m.IsTsig().OtherData = 1, "00" }), dns.RcodeNotAuth, dns.RcodeBadSig, false},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Now()
			sig := keys.Verify(c.request, now)
			if sig.Rcode != c.rcode || sig.Error != c.err || sig.Key() != "" {
				t.Fatalf("got rcode %d, error %d, key %q; want %d, %d and none", sig.Rcode, sig.Error, sig.Key(), c.rcode, c.err)
			}
			response, err := new(dns.Msg).SetRcode(question(), sig.Rcode).Pack()
			if err != nil {
				t.Fatal(err)
			}
			signed, err := sig.Sign(response)
			if err != nil {
				t.Fatal(err)
			}
			m := new(dns.Msg)
			if err := m.Unpack(signed); err != nil {
				t.Fatal(err)
			}
			got := m.IsTsig()
			if (got != nil) != (c.rcode == dns.RcodeNotAuth) {
				t.Fatalf("TSIG of the answer: %v", got)
			}
			if got == nil {
				return
			}
			if got.Error != c.err || (got.MACSize > 0) != c.signed {
				t.Errorf("TSIG of the answer has error %d and a MAC of %d octets, want %d and signed %v", got.Error, got.MACSize, c.err, c.signed)
			}
			asked := new(dns.Msg)
			if err := asked.Unpack(c.request); err != nil {
				t.Fatal(err)
			}
			if c.err != dns.RcodeBadTime {
				return
			}
			if want := now.Unix(); len(got.OtherData) != 12 || otherTime(signed[len(signed)-6:]) != uint64(want) {
				t.Errorf("other data %q, want this server's clock %x", got.OtherData, want)
			}
			if got.TimeSigned != asked.IsTsig().TimeSigned {
				t.Errorf("time signed %d, want the request's %d", got.TimeSigned, asked.IsTsig().TimeSigned)
			}
		})
	}
}

func TestVerifyWithoutTSIG(t *testing.T) {
	for name, m := range map[string]*dns.Msg{"plain": question(), "EDNS": question().SetEdns0(1232, false)} {
		packed, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		for _, keys := range []*Keys{nil, testKeys(t)} {
			sig := keys.Verify(packed, time.Now())
			if sig.Rcode != dns.RcodeSuccess || sig.Present() || sig.Key() != "" || sig.Room() != 0 {
				t.Errorf("%s: %+v, want nothing", name, sig)
			}
		}
	}
}

// TestVerifyKeepsNothing: the answer may be written over the request.
func TestVerifyKeepsNothing(t *testing.T) {
	q := question()
	packed, mac := twin(t, q, "fetch.", dns.HmacSHA256, testSecret, "", false, nil)
	sig := testKeys(t).Verify(packed, time.Now())
	response, err := new(dns.Msg).SetReply(q).Pack()
	if err != nil {
		t.Fatal(err)
	}
	for i := range packed {
		packed[i] = 0xFF
	}
	signed, err := sig.Sign(append(packed[:0], response...))
	if err != nil {
		t.Fatal(err)
	}
	if err := dns.TsigVerify(slices.Clone(signed), encoded(testSecret), mac, false); err != nil {
		t.Error(err)
	}
}

func TestKeysAreJudged(t *testing.T) {
	good := []byte(testSecret)
	for name, c := range map[string]struct {
		secrets []Secret
		want    string
	}{
		"short":     {[]Secret{{"a", config.HMACSHA256, good[:15]}}, "15 octets"},
		"algorithm": {[]Secret{{"a", "hmac-md5", good}}, "hmac-md5"},
		"twice":     {[]Secret{{"a", config.HMACSHA256, good}, {"A.", config.HMACSHA512, good}}, "another one"},
		"name":      {[]Secret{{strings.Repeat("a", 64), config.HMACSHA256, good}}, "domain name"},
	} {
		if _, err := NewKeys(c.secrets); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
		}
	}
}

// FuzzVerify: no bytes make it panic, and what holds here holds in the other implementation.
func FuzzVerify(f *testing.F) {
	packed, _ := twin(f, question(), "fetch.", dns.HmacSHA256, testSecret, "", false, nil)
	f.Add(packed)
	f.Add(packed[:len(packed)-1])
	f.Add([]byte{})
	keys := testKeys(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		sig := keys.Verify(b, time.Now())
		if sig.Key() == "fetch." {
			if err := dns.TsigVerify(slices.Clone(b), encoded(testSecret), "", false); err != nil {
				t.Errorf("the other implementation says %v", err)
			}
		}
		if _, err := sig.Sign(make([]byte, headerOctets)); err != nil {
			t.Errorf("sign: %v", err)
		}
	})
}
