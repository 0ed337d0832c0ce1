package node

import (
	"crypto/tls"
	"fmt"
	"net/netip"

	"go.uber.org/zap"

	"fairlead/adns"
	"fairlead/config"
)

// addStreams adds what the node file says of TCP, TLS and HTTPS to the options of the DNS server. The certificates are
// read here.
func addStreams(o *adns.Options, c *config.NodeDNS, log *zap.Logger) error {
	o.TCP = adns.TCPOptions{MaxConnections: c.TCP.MaxConnections, MaxPerClient: c.TCP.MaxPerClient, IdleTimeout: c.TCP.IdleTimeout.Std()}
	if t := c.TLS; t != nil {
		certificates, err := adns.LoadCertificates(adns.CertificateOptions{Cert: t.Cert, Key: t.Key, Logger: log})
		if err != nil {
			return fmt.Errorf("serve DNS over TLS: %w; correct dns.tls of the node file", err)
		}
		o.TLS = &adns.TLSOptions{Listen: t.Listen, Certificates: certificates}
		if t.MinVersion == config.TLS12 {
			o.TLS.MinVersion = tls.VersionTLS12
		}
	}
	if h := c.HTTPS; h != nil {
		certificates, err := adns.LoadCertificates(adns.CertificateOptions{Cert: h.Cert, Key: h.Key, Logger: log})
		if err != nil {
			return fmt.Errorf("serve DNS over HTTPS: %w; correct dns.https of the node file", err)
		}
		o.HTTPS = &adns.HTTPSOptions{Listen: h.Listen, Certificates: certificates, Path: h.Path}
	}
	return nil
}

// SecureDNSAddrs returns the addresses that DNS over TLS or HTTPS is served on, in the order of the node file; empty before
// Listen.
func (n *Node) SecureDNSAddrs(t adns.Transport) []netip.AddrPort { return n.dns.SecureAddrs(t) }
