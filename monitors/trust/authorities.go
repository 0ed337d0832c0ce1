package trust

import (
	"crypto/x509"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"
)

// Limits of files with authorities.
const (
	maxAuthorityBytes = 4 << 20 // of one file
	maxAuthorityFiles = 256     // remembered; above that all are read again

	// authorityRetry is how long a file that could not be used is left alone while it looks the same: thousands of probes may name it.
	authorityRetry = 10 * time.Second
)

// authorities remembers the certificates of files, so that thousands of probes do not parse them again. A file that
// changed is read again at the next probe. Safe for concurrent use; the zero value is empty.
type authorities struct {
	mu    sync.Mutex
	files map[string]authorityFile
}

// authorityFile is what became of a file, and what tells whether it is still the same.
type authorityFile struct {
	info  fs.FileInfo
	roots *x509.CertPool
	err   error // why there are none
	read  time.Time
}

// current reports whether reading the file again would give the same.
func (f *authorityFile) current(info fs.FileInfo, now time.Time) bool {
	same := os.SameFile(f.info, info) && f.info.ModTime().Equal(info.ModTime()) && f.info.Size() == info.Size()
	return same && (f.err == nil || now.Sub(f.read) < authorityRetry)
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
	now := time.Now()
	if f, ok := a.files[path]; ok && f.current(info, now) {
		return f.roots, f.err
	}
	roots, err := readAuthorities(path)
	if a.files == nil || len(a.files) >= maxAuthorityFiles {
		a.files = make(map[string]authorityFile)
	}
	a.files[path] = authorityFile{info, roots, err, now}
	return roots, err
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
