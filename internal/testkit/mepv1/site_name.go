package mepv1

import (
	"crypto/x509"
	"fmt"
	"net/url"
	"strings"
)

// A site certificate names its site in exactly one URI subject alternative name (RFC 5280 section 4.2.1.6) of this form.
// A URI of our own cannot be confused with a host name that some public authority vouched for.
const (
	siteScheme = "fairlead"
	siteHost   = "site"
)

// SiteURI returns the URI that names a site in its certificate: fairlead://site/<name>. The name must be valid (ValidName).
func SiteURI(site string) *url.URL {
	return &url.URL{Scheme: siteScheme, Host: siteHost, Path: "/" + site}
}

// CertificateSite returns the site that a certificate names. It fails when the certificate names none, or more than one.
// It does not verify who issued the certificate.
func CertificateSite(cert *x509.Certificate) (string, error) {
	site := ""
	for _, u := range cert.URIs {
		if u.Scheme != siteScheme {
			continue
		}
		name := strings.TrimPrefix(u.Path, "/")
		if *SiteURI(name) != *u || !ValidName(name) {
			return "", fmt.Errorf("read certificate %q: URI %q is not of the form %s", cert.Subject, u, SiteURI("NAME"))
		}
		if site != "" {
			return "", fmt.Errorf("read certificate %q: it names sites %q and %q, want one", cert.Subject, site, name)
		}
		site = name
	}
	if site == "" {
		return "", fmt.Errorf("read certificate %q: no URI %s in its subject alternative names; issue one with: fairlead pki issue",
			cert.Subject, SiteURI("NAME"))
	}
	return site, nil
}
