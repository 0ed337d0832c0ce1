package adns

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

const (
	certificatePoll    = time.Minute // how often the files are looked at
	maxCertificateFile = 1 << 20     // octets of a certificate chain, or of a key
)

// CertificateOptions name a certificate.
type CertificateOptions struct {
	Cert, Key string           // PEM files: the chain, the server's own certificate first, and its private key
	Now       func() time.Time // nil: time.Now
	Logger    *zap.Logger      // nil: none
}

// Certificates is a certificate with its key that follows its files. New handshakes use the newest pair that could be
// used; a pair that cannot be used is refused, and the one before it stays. Safe for concurrent use.
type Certificates struct {
	cert, key string
	now       func() time.Time
	log       *zap.Logger
	current   atomic.Pointer[tls.Certificate]
	open      func(name string) (*os.File, error)

	mu      sync.Mutex
	seen    [2]fileStamp // the files as they were read last; zero after one could not be read
	refused string       // why the pair that was read last is not used
	expired bool         // that the certificate in use expired was told
}

// fileStamp tells a file from what it was before. The zero stamp is that of no file.
type fileStamp struct {
	size     int64
	modified time.Time
}

// LoadCertificates reads a certificate and its key. One that has expired is taken, and the log says so: most clients of
// encrypted DNS do not look, and the rest are no worse off than without an answer.
func LoadCertificates(o CertificateOptions) (*Certificates, error) {
	c := &Certificates{cert: o.Cert, key: o.Key, now: o.Now, log: o.Logger, open: os.Open}
	if c.now == nil {
		c.now = time.Now
	}
	if c.log == nil {
		c.log = zap.NewNop()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	pair, err := c.read()
	if err != nil {
		return nil, err
	}
	c.current.Store(pair)
	c.noteExpiry()
	return c, nil
}

// NotAfter is when the certificate in use expires.
func (c *Certificates) NotAfter() time.Time { return c.current.Load().Leaf.NotAfter }

// Leaf is the certificate in use. It is only read.
func (c *Certificates) Leaf() *x509.Certificate { return c.current.Load().Leaf }

// Certificate is the certificate in use, for another server's tls.Config.GetCertificate.
func (c *Certificates) Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return c.get(hello)
}

// Watch follows the files until ctx ends, for a certificate that is not the DNS server's. Then it returns nil.
func (c *Certificates) Watch(ctx context.Context) error { return c.watch(ctx) }

// get is what a handshake calls.
func (c *Certificates) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return c.current.Load(), nil
}

// Reload reads the files again. A pair that cannot be used, or has expired, is logged and returned as an error; the pair
// in use stays.
func (c *Certificates) Reload() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused = "" // who asks is told, also when it is what was told before
	return c.reload()
}

// reload reads the files again. A refusal is logged, but not the same one every minute.
func (c *Certificates) reload() error {
	pair, err := c.read()
	if err == nil && c.now().After(pair.Leaf.NotAfter) && c.now().Before(c.NotAfter()) {
		err = fmt.Errorf("load certificate %q: it expired on %s; renew it", c.cert, pair.Leaf.NotAfter.UTC().Format(time.DateTime))
	}
	if err != nil {
		if c.refused != err.Error() {
			c.refused = err.Error()
			c.log.Error("dns.tls.certificate_rejected", zap.Error(err), zap.String("then", "the certificate in use stays"),
				zap.Time("not_after", c.NotAfter()))
		}
		return err
	}
	c.current.Store(pair)
	c.refused, c.expired = "", false
	c.log.Info("dns.tls.certificate_reloaded", zap.String("file", c.cert), zap.Time("not_after", pair.Leaf.NotAfter))
	c.noteExpiry()
	return nil
}

// watch follows the files until ctx ends.
func (c *Certificates) watch(ctx context.Context) error {
	tick := time.NewTicker(certificatePoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		c.mu.Lock()
		if c.stamps() != c.seen {
			_ = c.reload() // it has been logged
		}
		c.noteExpiry()
		c.mu.Unlock()
	}
}

// noteExpiry tells once that the certificate in use has expired.
func (c *Certificates) noteExpiry() {
	if !c.expired && c.now().After(c.NotAfter()) {
		c.expired = true
		c.log.Warn("dns.tls.certificate_expired", zap.String("file", c.cert), zap.Time("not_after", c.NotAfter()))
	}
}

func (c *Certificates) stamps() (stamps [2]fileStamp) {
	for i, name := range []string{c.cert, c.key} {
		if info, err := os.Stat(name); err == nil {
			stamps[i] = fileStamp{info.Size(), info.ModTime()}
		}
	}
	return stamps
}

// read reads both files.
func (c *Certificates) read() (*tls.Certificate, error) {
	c.seen = c.stamps() // before reading: what is written meanwhile is read at the next look
	cert, err := c.readBounded(c.cert)
	if err != nil {
		return nil, fmt.Errorf("load certificate: %w", err)
	}
	key, err := c.readBounded(c.key)
	if err != nil {
		return nil, fmt.Errorf("load key of certificate %q: %w", c.cert, err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("load certificate %q with key %q: %w; give a PEM chain and the unencrypted PEM key it was issued for",
			c.cert, c.key, err)
	}
	return &pair, nil
}

// readBounded reads a file. One that cannot be read counts as not seen: what helps it, as chown does, need not change what
// stamps are made of.
func (c *Certificates) readBounded(name string) (data []byte, err error) {
	defer func() {
		if err != nil {
			c.seen = [2]fileStamp{}
		}
	}()
	f, err := c.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err = io.ReadAll(io.LimitReader(f, maxCertificateFile+1))
	if err == nil && len(data) > maxCertificateFile {
		err = errors.New("read " + name + ": larger than 1 MiB")
	}
	return data, err
}
