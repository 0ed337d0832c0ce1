package trust

import (
	"crypto/tls"
	"fmt"
	"io"
	"os"

	"fairlead/config"
)

// maxCertificateBytes bounds a file with a client certificate.
const maxCertificateBytes = 256 << 10

// certificate reads the client certificate that a probe shows. It is read anew for each probe, so that a renewed one counts at once:
// probes that show one are few.
func (s *Store) certificate(t *config.TLSProbe) (tls.Certificate, error) {
	f, err := os.Open(t.CertFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("tls.cert_file: %w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() > maxCertificateBytes {
		return tls.Certificate{}, fmt.Errorf("tls.cert_file %q is not a plain file of at most %d KiB", t.CertFile, maxCertificateBytes>>10)
	}
	pem, err := io.ReadAll(io.LimitReader(f, maxCertificateBytes))
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("tls.cert_file: %w", err)
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
