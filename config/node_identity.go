package config

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"strings"
	"time"
)

// expirySoon is how long before its end a certificate is warned of.
const expirySoon = 14 * 24 * time.Hour

// siteURIPrefix precedes the site in the URI by which a certificate names it (docs/mep-protocol.md).
const siteURIPrefix = "fairlead://site/"

// checkIdentity checks a node's certificate, key and authorities together, as the exchange will: it proves the node's own
// site to others that trust the same authority.
func checkIdentity(p *page, n *Node, cert, key, ca []byte, now time.Time) {
	const path = "/mep/tls/cert"
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		p.problem(path, codeNodeFile, "", "certificate and key cannot be used: %v", err)
		return
	}
	issue := "fairlead pki issue " + n.Site
	site, count := "", 0
	for _, u := range pair.Leaf.URIs {
		if name, ok := strings.CutPrefix(u.String(), siteURIPrefix); ok {
			site = name
			count++
		}
	}
	switch {
	case count != 1:
		p.problem(path, codeNodeFile, issue, "the certificate names %d sites, want the URI %s", count, quote(siteURIPrefix+n.Site))
	case n.Site != "" && site != n.Site:
		p.problem(path, codeNodeFile, issue, "the certificate is of site %s, this node is of site %s", quote(site), quote(n.Site))
	}
	roots := x509.NewCertPool()
	if roots.AppendCertsFromPEM(ca) {
		err := verifyIssuer(pair, roots, pair.Leaf.NotBefore)
		if err != nil && verifyIssuer(pair, roots, now) == nil {
			err = nil // the authority was renewed with its key, and began after the certificate did
		}
		if err != nil {
			p.problem(path, codeNodeFile, "issue it with the authority that mep.tls.ca names, at every site the same",
				"the certificate is not one of this authority: %v", err)
		}
	}
	checkDates(p, path, pair.Leaf, issue+" --force", "no other site accepts it", now)
}

// checkDates warns of a certificate that is not valid, or not for long.
func checkDates(p *page, path string, leaf *x509.Certificate, renew, then string, now time.Time) {
	date := func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }
	switch {
	case now.Before(leaf.NotBefore):
		p.problem(path, codeWarnCertificateDates, "set this machine's clock", "the certificate is not valid before %s", date(leaf.NotBefore))
	case now.After(leaf.NotAfter):
		p.problem(path, codeWarnCertificateDates, renew, "the certificate expired on %s: %s", date(leaf.NotAfter), then)
	case now.Add(expirySoon).After(leaf.NotAfter):
		p.problem(path, codeWarnCertificateDates, renew, "the certificate expires on %s", date(leaf.NotAfter))
	}
}

// verifyIssuer checks who issued a certificate, and for what, at a time when both were valid; dates are warned of
// separately.
func verifyIssuer(pair tls.Certificate, roots *x509.CertPool, at time.Time) error {
	opts := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool(), CurrentTime: at}
	for _, der := range pair.Certificate[1:] {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return fmt.Errorf("read intermediate certificate: %w", err)
		}
		opts.Intermediates.AddCert(c)
	}
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		opts.KeyUsages = []x509.ExtKeyUsage{usage}
		if _, err := pair.Leaf.Verify(opts); err != nil {
			return err
		}
	}
	return nil
}
