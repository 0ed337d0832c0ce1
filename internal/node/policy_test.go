package node_test

import (
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"fairlead/adns/cookie"
	"fairlead/internal/node"

	"github.com/miekg/dns"
)

// exchange asks the node over UDP with a COOKIE option.
func exchange(t *testing.T, n *node.Node, name string, qtype, class uint16, sent string) (*dns.Msg, string) {
	t.Helper()
	m := new(dns.Msg)
	m.SetQuestion(name, qtype)
	m.Question[0].Qclass = class
	m.SetEdns0(1232, false)
	m.IsEdns0().Option = append(m.IsEdns0().Option, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: sent})
	c := dns.Client{Timeout: patience}
	r, _, err := c.Exchange(m, n.DNSAddrs()[0].String())
	if err != nil {
		t.Fatalf("query %s: %v", name, err)
	}
	for _, o := range r.IsEdns0().Option {
		if o, ok := o.(*dns.EDNS0_COOKIE); ok {
			return r, o.Cookie
		}
	}
	return r, ""
}

// TestPolicyOfTheNodeFile: what the node file says about clients reaches the server, and the secrets of cookies are read
// again at a reload.
func TestPolicyOfTheNodeFile(t *testing.T) {
	p := newPlace(t, true)
	p.write(document("192.0.2.1"))
	secrets := filepath.Join(filepath.Dir(p.file), "cookie.secret")
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(secrets, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const first, second = "000102030405060708090a0b0c0d0e0f", "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"
	put(first)
	c := &p.config.DNS
	c.Cookies, c.CookieSecretFile, c.Version = true, secrets, "Fairlead"
	c.RateLimit.ResponsesPerSecond, c.RateLimit.Slip, c.RateLimit.MaxEntries = 1, 1, 1024
	n, _ := p.serve(nil)

	if r, _ := exchange(t, n, "version.bind.", dns.TypeTXT, dns.ClassCHAOS, "0102030405060708"); len(r.Answer) != 1 || r.Answer[0].(*dns.TXT).Txt[0] != "Fairlead" {
		t.Errorf("version.bind: %s", r)
	}
	verify := func(text, secret string) cookie.Status {
		t.Helper()
		key, _ := hex.DecodeString(secret)
		keys, err := cookie.NewKeys(cookie.Secret(key))
		if err != nil {
			t.Fatal(err)
		}
		option, _ := hex.DecodeString(text)
		return keys.Verify(option, netip.MustParseAddr("127.0.0.1"), uint32(time.Now().Unix()))
	}
	const name = "www.example.test."
	_, have := exchange(t, n, name, dns.TypeA, dns.ClassINET, "0102030405060708")
	if verify(have, first) != cookie.Fresh {
		t.Fatalf("cookie %s is not of the file's secret", have)
	}
	put(second + "\n" + first)
	if err := n.Reload(); err != nil {
		t.Fatal(err)
	}
	_, next := exchange(t, n, name, dns.TypeA, dns.ClassINET, have)
	if verify(next, second) != cookie.Fresh {
		t.Errorf("after a reload: cookie %s is not of the new secret", next)
	}
	put("nonsense")
	_ = n.Reload()
	if r, _ := exchange(t, n, name, dns.TypeA, dns.ClassINET, next); r.Rcode != dns.RcodeSuccess || len(r.Answer) != 1 {
		t.Errorf("after a wrong file: %s", r)
	}
	// One answer a second is the limit, but for those with a cookie.
	limited := 0
	for range 5 {
		if r, _ := exchange(t, n, name, dns.TypeA, dns.ClassINET, "0102030405060708"); r.Rcode == dns.RcodeBadCookie {
			limited++
		}
	}
	if limited < 3 {
		t.Errorf("%d of 5 queries were limited, want nearly all", limited)
	}
}

func TestNewRefusesCookieSecrets(t *testing.T) {
	p := newPlace(t, false)
	p.write(document("192.0.2.1"))
	p.config.DNS.Cookies, p.config.DNS.CookieSecretFile = true, p.file
	if _, err := node.New(node.Options{Config: &p.config}); err == nil {
		t.Error("a file that holds no secrets: no error")
	}
}
