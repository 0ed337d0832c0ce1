package trust

import (
	"crypto/tls"
	"fmt"

	"fairlead/config"
)

// maxCertificateBytes bounds a file with a client certificate.
const maxCertificateBytes = 256 << 10

// certificate reads the client certificate that a probe shows. It is read anew for each probe, so that a renewed one counts at once:
// probes that show one are few.
func (s *Store) certificate(t *config.TLSProbe) (tls.Certificate, error) {
	pem, err := readPlain("tls.cert_file", t.CertFile, maxCertificateBytes)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := s.secret(t.KeyFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("tls.key_file: %w", err)
	}
	shown, err := tls.X509KeyPair(pem, []byte(key))
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("tls.cert_file and tls.key_file: %w", err)
	}
	return shown, nil
}
