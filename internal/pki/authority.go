package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"net/url"
	"time"

	"fairlead/mep"
)

// Validity when Options says nothing.
const (
	DefaultAuthorityValidity = 10 * 365 * 24 * time.Hour
	DefaultSiteValidity      = 365 * 24 * time.Hour
)

// backdate is how far a certificate's start lies before its making, for sites whose clocks are behind.
const backdate = time.Hour

// Options is how certificates are made. The zero value is good.
type Options struct {
	// Validity is how long the certificate is good. 0: the default of its kind. A site's certificate ends no later than
	// its authority's.
	Validity time.Duration
	// CommonName is the subject. Empty: "Fairlead authority", or the site's name.
	CommonName string
	// IPs and DNSNames are further subject alternative names of a site's certificate, so that other programs can use it
	// for TLS. MEP does not look at them.
	IPs      []netip.Addr
	DNSNames []string
	// Force replaces a site's certificate and key. An authority is never replaced: all its certificates would be void.
	Force bool
	// Now is the clock. nil: time.Now.
	Now func() time.Time
}

func (o Options) now() time.Time {
	if o.Now != nil {
		return o.Now()
	}
	return time.Now()
}

// Pair is a certificate and its key in PEM.
type Pair struct {
	Cert, Key []byte
}

// Authority is a root certificate and its key.
type Authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pair Pair
}

// NewAuthority makes an authority in memory.
func NewAuthority(o Options) (*Authority, error) {
	now := o.now()
	name := o.CommonName
	if name == "" {
		name = "Fairlead authority"
	}
	validity := o.Validity
	if validity == 0 {
		validity = DefaultAuthorityValidity
	}
	if validity < 0 {
		return nil, fmt.Errorf("make authority %q: validity %v is negative", name, validity)
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(validity),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true, // it signs sites, not authorities
	}
	a, err := sign(template, nil)
	if err != nil {
		return nil, fmt.Errorf("make authority %q: %w", name, err)
	}
	return a, nil
}

// ParseAuthority reads an authority from PEM.
func ParseAuthority(p Pair) (*Authority, error) {
	certBlock, _ := pem.Decode(p.Cert)
	if certBlock == nil || certBlock.Type != "CERTIFICATE" {
		return nil, errors.New("parse authority: no PEM certificate")
	}
	cert, err := x509.ParseCertificate(certBlock.Bytes)
	if err != nil {
		return nil, fmt.Errorf("parse authority: %w", err)
	}
	keyBlock, _ := pem.Decode(p.Key)
	if keyBlock == nil || keyBlock.Type != "PRIVATE KEY" {
		return nil, errors.New("parse authority's key: no PEM private key (PKCS #8)")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(keyBlock.Bytes)
	if err != nil {
		return nil, fmt.Errorf("parse authority's key: %w", err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("parse authority's key: it is %T, want ECDSA", parsed)
	}
	if !cert.IsCA {
		return nil, fmt.Errorf("parse authority: certificate %q is not one of an authority", cert.Subject)
	}
	if !key.PublicKey.Equal(cert.PublicKey) {
		return nil, fmt.Errorf("parse authority: the key does not belong to certificate %q", cert.Subject)
	}
	return &Authority{cert: cert, key: key, pair: p}, nil
}

// Cert returns the authority's certificate in PEM: what every site trusts.
func (a *Authority) Cert() []byte { return a.pair.Cert }

// NotAfter returns when the authority ends.
func (a *Authority) NotAfter() time.Time { return a.cert.NotAfter }

// Issue makes a certificate for a site, good for both ends of a MEP connection.
func (a *Authority) Issue(site string, o Options) (Pair, error) {
	if err := checkSite(site); err != nil {
		return Pair{}, err
	}
	now := o.now()
	validity := o.Validity
	if validity == 0 {
		validity = DefaultSiteValidity
	}
	if validity < 0 {
		return Pair{}, fmt.Errorf("issue certificate for site %q: validity %v is negative", site, validity)
	}
	if !now.Before(a.cert.NotAfter) {
		return Pair{}, fmt.Errorf("issue certificate for site %q: the authority expired on %s; make a new one",
			site, a.cert.NotAfter.Format(time.DateOnly))
	}
	name := o.CommonName
	if name == "" {
		name = site
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             latest(now.Add(-backdate), a.cert.NotBefore),
		NotAfter:              earliest(now.Add(validity), a.cert.NotAfter),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
		URIs:                  []*url.URL{mep.SiteURI(site)},
		DNSNames:              o.DNSNames,
	}
	for _, ip := range o.IPs {
		if !ip.IsValid() {
			return Pair{}, fmt.Errorf("issue certificate for site %q: an IP address is invalid", site)
		}
		template.IPAddresses = append(template.IPAddresses, net.IP(ip.Unmap().AsSlice()))
	}
	issued, err := sign(template, a)
	if err != nil {
		return Pair{}, fmt.Errorf("issue certificate for site %q: %w", site, err)
	}
	return issued.pair, nil
}

// ErrName is the error of a site's name that no site can have.
var ErrName = errors.New("not a name")

func checkSite(site string) error {
	if !mep.ValidName(site) {
		return fmt.Errorf("issue certificate for site %q: %w; want 1 to %d letters, digits, '-', '_' or '.'", site, ErrName, mep.MaxName)
	}
	return nil
}

// sign makes a key and a certificate for it: signed by parent, or by itself without one.
func sign(template *x509.Certificate, parent *Authority) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate key: %w", err)
	}
	// 127 random bits: unique without a record of what was issued (RFC 5280 section 4.1.2.2).
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)); err != nil {
		return nil, fmt.Errorf("make serial number: %w", err)
	}
	if parent == nil {
		parent = &Authority{cert: template, key: key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent.cert, &key.PublicKey, parent.key)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read back: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	return &Authority{cert: cert, key: key, pair: Pair{
		Cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	}}, nil
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
