package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"fairlead/config"
	"fairlead/internal/access"
	"fairlead/mep"
)

const (
	// expirySoon is how long before its end a certificate or a token is warned of.
	expirySoon = 14 * 24 * time.Hour
	// maxAuthorities is how many certificates of one file of authorities are looked at.
	maxAuthorities = 100
	day            = 24 * time.Hour
)

// identity is a certificate of the node, and what for.
type identity struct {
	key        string // in the node file
	cert, priv string
	names      []string // that it has to be good for; empty: any
	use, renew string
}

func identities(n *config.Node) []identity {
	list := []identity{{"api.tls.cert", n.API.TLS.Cert, n.API.TLS.Key, n.API.Hosts, "clients of the API do not trust it", "renew it where it was issued"}}
	if t := n.DNS.TLS; t != nil {
		list = append(list, identity{"dns.tls.cert", t.Cert, t.Key, nil, "clients of DNS over TLS do not trust it", "renew it where it was issued"})
	}
	if t := n.DNS.HTTPS; t != nil {
		list = append(list, identity{"dns.https.cert", t.Cert, t.Key, nil, "clients of DNS over HTTPS do not trust it", "renew it where it was issued"})
	}
	if e := n.Config.Store.Etcd; e != nil {
		list = append(list, identity{"config.store.etcd.tls.cert", e.TLS.Cert, e.TLS.Key, nil, "etcd does not trust this node", "renew it where it was issued"})
	}
	return list
}

// certificates checks each certificate that the node shows, and the authorities that it trusts.
func (p *patient) certificates(_ context.Context, f *findings) {
	now := p.o.Now()
	if t := p.node.MEP.TLS; t.Cert != "" && !p.node.MEP.Insecure {
		p.siteCertificate(f, t, now)
	}
	for _, i := range identities(p.node) {
		if i.cert == "" {
			continue
		}
		pair, err := tls.LoadX509KeyPair(i.cert, i.priv)
		if err != nil {
			f.add(Failed, i.key, errText(err), i.use, "name a certificate chain and its key, as PEM files that the node's user reads")
			continue
		}
		f.certificate(i, pair, now)
	}
	authorities := []struct{ key, file string }{{"mep.tls.ca", p.node.MEP.TLS.CA}, {"api.tls.client_ca", p.node.API.TLS.ClientCA}}
	if e := p.node.Config.Store.Etcd; e != nil {
		authorities = append(authorities, struct{ key, file string }{"config.store.etcd.tls.ca", e.TLS.CA})
	}
	for _, a := range authorities {
		if a.file != "" {
			f.authorities(a.key, a.file, now)
		}
	}
	if p.node.MEP.Insecure {
		f.add(Warning, "mep.insecure", "the exchange with other sites is not encrypted", "whoever is on the way can say which services are up, and change the document", "fairlead pki init, pki issue, and mep.tls in the node file")
	}
	if len(f.list) == 0 {
		f.skip("", "the node file names none")
	}
}

// siteCertificate checks the certificate by which other sites know this one.
func (p *patient) siteCertificate(f *findings, t config.NodeTLS, now time.Time) {
	const why = "no other site exchanges with this one"
	issue := "fairlead pki issue " + p.node.Site
	id, err := mep.LoadIdentity(t.Cert, t.Key, t.CA)
	if err != nil {
		f.add(Failed, "mep.tls.cert", errText(err), why, issue)
		return
	}
	if id.Site() != p.node.Site {
		f.add(Failed, "mep.tls.cert", fmt.Sprintf("it is of site %q, this node is of site %q", id.Site(), p.node.Site), why, issue)
		return
	}
	pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		f.add(Failed, "mep.tls.cert", errText(err), why, issue)
		return
	}
	f.certificate(identity{key: "mep.tls.cert", use: why, renew: issue + " --force"}, pair, now)
}

// certificate checks dates, names and order of one chain, whose key fits.
func (f *findings) certificate(i identity, pair tls.Certificate, now time.Time) {
	leaf := pair.Leaf
	var missing []string
	for _, name := range i.names {
		if leaf.VerifyHostname(name) != nil {
			missing = append(missing, name)
		}
	}
	switch {
	case now.Before(leaf.NotBefore):
		f.add(Failed, i.key, "it is not valid before "+date(leaf.NotBefore), i.use, "set this machine's clock, or wait")
		return
	case now.After(leaf.NotAfter):
		f.add(Failed, i.key, "it expired on "+date(leaf.NotAfter), i.use, i.renew)
		return
	case len(missing) > 0:
		f.add(Failed, i.key, fmt.Sprintf("it is not good for %s", strings.Join(missing, ", ")), "clients that ask for that name refuse it", "issue it with all names, or remove them from api.hosts")
		return
	}
	if err := unordered(pair); err != nil {
		f.add(Failed, i.key, errText(err), i.use, "put the certificate first, then each issuer after what it has issued")
		return
	}
	left := leaf.NotAfter.Sub(now)
	if left < expirySoon {
		f.add(Warning, i.key, fmt.Sprintf("it expires on %s, in %s", date(leaf.NotAfter), countOf(int(left/day), "day")), i.use+" then", i.renew)
		return
	}
	f.ok(i.key, "%s: its key fits, %s left", nameOf(leaf), countOf(int(left/day), "day"))
}

// unordered returns an error unless each certificate of a chain was issued by the next one.
func unordered(pair tls.Certificate) error {
	last := pair.Leaf
	for n, der := range pair.Certificate[1:] {
		next, err := x509.ParseCertificate(der)
		if err != nil {
			return fmt.Errorf("read certificate %d of the chain: %w", n+2, err)
		}
		if err := last.CheckSignatureFrom(next); err != nil {
			return fmt.Errorf("certificate %d of the chain (%s) did not issue the one before it: %w", n+2, next.Subject, err)
		}
		last = next
	}
	return nil
}

func nameOf(c *x509.Certificate) string {
	names := slices.Clone(c.DNSNames)
	for _, u := range c.URIs {
		names = append(names, u.String())
	}
	if len(names) == 0 {
		return c.Subject.String()
	}
	return strings.Join(names[:min(len(names), 4)], ", ")
}

// authorities checks that one of a file's authorities can still vouch for somebody.
func (f *findings) authorities(key, file string, now time.Time) {
	until, err := newestEnd(file)
	switch left := until.Sub(now); {
	case err != nil:
		f.add(Failed, key, errText(err), "nobody is trusted by it", "name a PEM file with the certificates of the authorities")
	case left < 0:
		f.add(Failed, key, "all authorities in "+file+" have expired", "nobody is trusted by it", "renew the authority, and what it has issued")
	case left < expirySoon:
		f.add(Warning, key, fmt.Sprintf("the last authority expires on %s", date(until)), "nobody is trusted by it then", "renew the authority, and what it has issued")
	default:
		f.ok(key, "good until %s", date(until))
	}
}

// newestEnd is when the last certificate of a PEM file ends.
func newestEnd(file string) (end time.Time, err error) {
	text, err := readBounded(file)
	if err != nil {
		return end, err
	}
	for range maxAuthorities {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if c, err := x509.ParseCertificate(block.Bytes); err == nil && c.NotAfter.After(end) {
			end = c.NotAfter
		}
	}
	if end.IsZero() {
		return end, errors.New("there is no PEM certificate in " + file)
	}
	return end, nil
}

func date(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

// tokens checks that somebody can still say who they are.
func (p *patient) tokens(_ context.Context, f *findings) {
	file := p.node.API.TokensFile
	if file == "" {
		f.skip("", "api.tokens_file names none")
		return
	}
	list, err := access.List(file)
	if err != nil {
		if !errors.Is(err, os.ErrNotExist) { // configuration has said so
			f.add(Failed, file, errText(err), "nobody is known by a token", "restore the file, or make one: fairlead token create --tokens-file "+file)
		}
		return
	}
	now, good := p.o.Now(), 0
	for _, t := range list {
		switch left := t.Expires.Sub(now); {
		case t.Expires.IsZero() || left >= expirySoon:
			good++
		case left < 0:
			f.add(Warning, t.Name, "it expired on "+date(t.Expires), "whoever has it is refused", "fairlead token revoke "+t.Name+", and create another one")
		default:
			good++
			f.add(Warning, t.Name, "it expires on "+date(t.Expires), "whoever has it is refused then", "fairlead token create, and give it to them before")
		}
	}
	if good == 0 {
		f.add(Warning, file, "no token in it is valid", "nobody is known by a token", "fairlead token create --tokens-file "+file+" --name admin --role admin")
	} else if len(f.list) == 0 {
		f.ok("", "%s in %s, none of which ends soon", countOf(good, "token"), file)
	}
}
