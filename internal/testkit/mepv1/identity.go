package mepv1

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// ALPN is the application protocol of MEP's TLS connections (RFC 7301).
const ALPN = "fairlead-mep/1"

// Identity is a site's certificate and key, and the authorities that vouch for other sites. One that was loaded from
// files follows them: they are looked at on every handshake, and taken when they changed and are good. Otherwise the old
// ones stay in use. Running sessions keep what they were made with. Safe for concurrent use.
type Identity struct {
	certFile, keyFile, caFile string // empty: fixed

	mu     sync.Mutex
	cur    credentials
	stamps [3]fileStamp // of the files when they were last read, also if they were not good
}

type credentials struct {
	cert  tls.Certificate
	roots *x509.CertPool
	site  string
}

type fileStamp struct {
	modified time.Time
	size     int64
}

// NewIdentity makes an Identity of PEM text: a certificate chain, leaf first, its key, and one or more authorities.
func NewIdentity(cert, key, ca []byte) (*Identity, error) {
	c, err := newCredentials(cert, key, ca)
	if err != nil {
		return nil, err
	}
	return &Identity{cur: c}, nil
}

// LoadIdentity makes an Identity of PEM files, which it follows.
func LoadIdentity(certFile, keyFile, caFile string) (*Identity, error) {
	i := &Identity{certFile: certFile, keyFile: keyFile, caFile: caFile}
	i.stamps = i.stat()
	c, err := i.read()
	if err != nil {
		return nil, err
	}
	i.cur = c
	return i, nil
}

// Site returns the site that the certificate names.
func (i *Identity) Site() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.cur.site
}

// NotAfter returns when the certificate in use expires.
func (i *Identity) NotAfter() time.Time {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.cur.cert.Leaf.NotAfter
}

// current returns the credentials to use now. changed says that they were just read anew; err, that the files changed
// but are not good, so the old ones are returned. Each change is reported once.
func (i *Identity) current() (c credentials, changed bool, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.certFile == "" {
		return i.cur, false, nil
	}
	stamps := i.stat()
	if stamps == i.stamps {
		return i.cur, false, nil
	}
	i.stamps = stamps
	c, err = i.read()
	if err == nil && c.site != i.cur.site {
		err = fmt.Errorf("reload certificate %q: it names site %q, not %q", i.certFile, c.site, i.cur.site)
	}
	if err != nil {
		return i.cur, false, err
	}
	i.cur = c
	return c, true, nil
}

func (i *Identity) stat() (stamps [3]fileStamp) {
	for n, name := range []string{i.certFile, i.keyFile, i.caFile} {
		if st, err := os.Stat(name); err == nil {
			stamps[n] = fileStamp{st.ModTime(), st.Size()}
		}
	}
	return stamps
}

func (i *Identity) read() (credentials, error) {
	var text [3][]byte
	for n, f := range []struct{ what, name string }{{"certificate", i.certFile}, {"key", i.keyFile}, {"authorities", i.caFile}} {
		b, err := os.ReadFile(f.name)
		if err != nil {
			return credentials{}, fmt.Errorf("read %s: %w", f.what, err)
		}
		text[n] = b
	}
	c, err := newCredentials(text[0], text[1], text[2])
	if err != nil {
		return c, fmt.Errorf("load certificate %q, key %q, authorities %q: %w", i.certFile, i.keyFile, i.caFile, err)
	}
	return c, nil
}

func newCredentials(cert, key, ca []byte) (credentials, error) {
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return credentials{}, fmt.Errorf("read certificate and key: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return credentials{}, errors.New("read authorities: no PEM certificate in them")
	}
	site, err := CertificateSite(pair.Leaf)
	if err != nil {
		return credentials{}, err
	}
	chain := []*x509.Certificate{pair.Leaf}
	for _, der := range pair.Certificate[1:] {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return credentials{}, fmt.Errorf("read intermediate certificate: %w", err)
		}
		chain = append(chain, c)
	}
	// Its dates are the peers' business, and change while the process runs; that it can never be accepted is ours. An
	// authority that was renewed with its key may have begun after the certificate did.
	if err := verifyChain(chain, roots, pair.Leaf.NotBefore); err != nil && verifyChain(chain, roots, time.Now()) != nil {
		return credentials{}, err
	}
	return credentials{cert: pair, roots: roots, site: site}, nil
}

// config returns a TLS configuration for one handshake in either direction. allow judges the site that the peer's
// certificate names.
func (c credentials) config(allow func(site string) error) *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		Certificates:           []tls.Certificate{c.cert},
		NextProtos:             []string{ALPN},
		ClientAuth:             tls.RequireAnyClientCert,
		SessionTicketsDisabled: true, // each connection proves its site anew
		// The certificate is verified, in both directions, by VerifyConnection: it names a site, not a host.
		InsecureSkipVerify: true,
		VerifyConnection: func(cs tls.ConnectionState) error {
			site, err := c.peerSite(cs)
			if err != nil {
				return err
			}
			return allow(site)
		},
	}
}

// peerSite returns the site that the other end has proved to be.
func (c credentials) peerSite(cs tls.ConnectionState) (string, error) {
	if cs.NegotiatedProtocol != ALPN {
		return "", refusef(RejectTLS, "negotiate protocol: the peer offers %q, want %q", cs.NegotiatedProtocol, ALPN)
	}
	if len(cs.PeerCertificates) == 0 {
		return "", refusef(RejectTLS, "verify certificate: the peer sent none")
	}
	if err := verifyChain(cs.PeerCertificates, c.roots, time.Now()); err != nil {
		return "", err
	}
	site, err := CertificateSite(cs.PeerCertificates[0])
	if err != nil {
		return "", &refusal{RejectTLS, err}
	}
	return site, nil
}

// verifyChain verifies a site certificate: issued by one of roots for both ends of a connection, valid at the time.
func verifyChain(chain []*x509.Certificate, roots *x509.CertPool, at time.Time) error {
	opts := x509.VerifyOptions{Roots: roots, CurrentTime: at, Intermediates: x509.NewCertPool()}
	for _, c := range chain[1:] {
		opts.Intermediates.AddCert(c)
	}
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		opts.KeyUsages = []x509.ExtKeyUsage{usage}
		if _, err := chain[0].Verify(opts); err != nil {
			return refusef(RejectTLS, "verify certificate %q of %s to %s: %w", chain[0].Subject,
				chain[0].NotBefore.Format(time.DateTime), chain[0].NotAfter.Format(time.DateTime), err)
		}
	}
	return nil
}
