package trust

import (
	"crypto/x509"
	"fmt"
	"os"
	"sync"
	"time"
)

// Limits of files with authorities.
const (
	maxAuthorityBytes = 4 << 20 // of one file
	maxAuthorityFiles = 256     // remembered; above that all are read again
)

// authorities remembers the certificates of files, so that thousands of probes do not parse them again. A file that
// changed is read again at the next probe. Safe for concurrent use; the zero value is empty.
type authorities struct {
	mu    sync.Mutex
	files map[string]authorityFile
}

type authorityFile struct {
	roots    *x509.CertPool
	modified time.Time
	size     int64
}

func (a *authorities) read(path string) (*x509.CertPool, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("tls.ca_file: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxAuthorityBytes {
		return nil, notPlain("tls.ca_file", path, maxAuthorityBytes)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if f, ok := a.files[path]; ok && f.modified.Equal(info.ModTime()) && f.size == info.Size() {
		return f.roots, nil
	}
	roots, err := readAuthorities(path)
	if err != nil {
		return nil, err
	}
	if a.files == nil || len(a.files) >= maxAuthorityFiles {
		a.files = make(map[string]authorityFile)
	}
	a.files[path] = authorityFile{roots, info.ModTime(), info.Size()}
	return roots, nil
}

func readAuthorities(path string) (*x509.CertPool, error) {
	pem, err := readPlain("tls.ca_file", path, maxAuthorityBytes)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("tls.ca_file %q holds no PEM certificate", path)
	}
	return roots, nil
}
