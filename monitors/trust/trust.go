// Package trust makes the TLS settings of probes and load reads: whose certificates are believed, and which one is shown.
package trust

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"fairlead/config"
	"fairlead/monitors/reason"
)

// day is what certificates are counted in.
const day = 24 * time.Hour

// Store holds what files said about authorities. Safe for concurrent use.
type Store struct {
	authorities authorities
	secret      func(config.Secret) (string, error)
}

// New returns a Store that reads private keys with secret; nil: there are none to read.
func New(secret func(config.Secret) (string, error)) *Store {
	if secret == nil {
		secret = func(config.Secret) (string, error) { return "", errors.New("this node reads no secrets") }
	}
	return &Store{secret: secret}
}

// Config returns the settings for a server that is asked for, and must be, serverName: the document's name comes first.
// Protocols are those of ALPN (RFC 7301).
func (s *Store) Config(t *config.TLSProbe, serverName string, protocols ...string) (*tls.Config, error) {
	cfg := &tls.Config{
		ServerName:         cmp.Or(t.ServerName, serverName),
		InsecureSkipVerify: !t.Verify, // what the operator asked for: the probe is about being up
		NextProtos:         protocols,
	}
	if t.Verify && t.CAFile != "" {
		roots, err := s.authorities.read(t.CAFile)
		if err != nil {
			return nil, err
		}
		cfg.RootCAs = roots
	}
	if t.CertFile != "" {
		shown, err := s.certificate(t)
		if err != nil {
			return nil, err
		}
		cfg.Certificates = []tls.Certificate{shown}
	}
	if t.DaysLeft > 0 {
		cfg.VerifyConnection = func(state tls.ConnectionState) error { return expiry(&state, t.DaysLeft, time.Now()) }
	}
	return cfg, nil
}

// Handshake puts TLS on conn, which it closes when that fails.
func Handshake(ctx context.Context, conn net.Conn, cfg *tls.Config) (*tls.Conn, error) {
	secure := tls.Client(conn, cfg)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, reason.During(reason.TLS, err)
	}
	return secure, nil
}

// HostName is a host header without its port and brackets.
func HostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.Trim(host, "[]")
}

// expiry fails when a certificate that the server sent, up to the root that is trusted, ends within so many days.
func expiry(state *tls.ConnectionState, days int, now time.Time) error {
	chain := state.PeerCertificates
	if len(state.VerifiedChains) > 0 {
		chain = longestLasting(state.VerifiedChains)
	}
	for _, c := range chain {
		left := c.NotAfter.Sub(now)
		switch {
		case left < 0:
			return fmt.Errorf("certificate of %q expired %s", reason.CertificateOf(c), c.NotAfter.UTC().Format(time.DateOnly))
		case left < time.Duration(days)*day:
			return fmt.Errorf("certificate of %q expires %s, in %d days; days_left is %d", reason.CertificateOf(c), c.NotAfter.UTC().Format(time.DateOnly), int(left/day), days)
		}
	}
	return nil
}

// FirstToExpire is the certificate of a server that ends first, up to the root that is trusted; nil: it showed none.
func FirstToExpire(state *tls.ConnectionState) *x509.Certificate {
	chain := state.PeerCertificates
	if len(state.VerifiedChains) > 0 {
		chain = longestLasting(state.VerifiedChains)
	}
	var first *x509.Certificate
	for _, c := range chain {
		if first == nil || c.NotAfter.Before(first.NotAfter) {
			first = c
		}
	}
	return first
}

// longestLasting is the chain that is valid for longest.
func longestLasting(chains [][]*x509.Certificate) []*x509.Certificate {
	var best []*x509.Certificate
	var until time.Time
	for _, chain := range chains {
		end := chain[0].NotAfter
		for _, c := range chain {
			if c.NotAfter.Before(end) {
				end = c.NotAfter
			}
		}
		if best == nil || end.After(until) {
			best, until = chain, end
		}
	}
	return best
}
