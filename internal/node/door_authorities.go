package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

const (
	// authoritiesInterval is how often the file of authorities is looked at.
	authoritiesInterval = 2 * time.Second
	// maxAuthorities bounds that file, in bytes.
	maxAuthorities = 1 << 20
)

// authorities are who issues client certificates: a file that is followed. Connections made later are held against what it says then; those
// that are there keep what they were let in with.
type authorities struct {
	path string
	log  *zap.Logger
	now  atomic.Pointer[x509.CertPool]
	seen os.FileInfo // as it was read last; nil: it could not be. It belongs to who reads: newAuthorities, then run.
	ask  chan struct{}
}

// newAuthorities reads the file, and fails when it cannot be used.
func newAuthorities(path string, log *zap.Logger) (*authorities, error) {
	a := &authorities{path: path, log: log, ask: make(chan struct{}, 1)}
	return a, a.read()
}

// read reads the file. One that cannot be used leaves what was read before.
func (a *authorities) read() error {
	f, err := os.Open(a.path)
	if err != nil {
		a.seen = nil
		return fmt.Errorf("read authorities of client certificates: %w", err)
	}
	defer func() { _ = f.Close() }()
	a.seen, _ = f.Stat()
	text, err := io.ReadAll(io.LimitReader(f, maxAuthorities))
	if err != nil {
		return fmt.Errorf("read authorities of client certificates %q: %w", a.path, err)
	}
	list := x509.NewCertPool()
	if !list.AppendCertsFromPEM(text) {
		return fmt.Errorf("read authorities of client certificates: %q holds no PEM certificate", a.path)
	}
	a.now.Store(list)
	return nil
}

// changed reports whether the file is another one than that which was read.
func (a *authorities) changed() bool {
	info, err := os.Stat(a.path)
	if err != nil || a.seen == nil {
		return err == nil || a.seen != nil
	}
	return !os.SameFile(info, a.seen) || info.Size() != a.seen.Size() || !info.ModTime().Equal(a.seen.ModTime())
}

// run follows the file until ctx ends.
func (a *authorities) run(ctx context.Context) error {
	look := time.NewTicker(authoritiesInterval)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.ask:
		case <-look.C:
			if !a.changed() {
				continue
			}
		}
		if err := a.read(); err != nil {
			a.log.Error("api.authorities.refused", zap.Error(err), zap.String("then", "those that were read before count"))
			continue
		}
		a.log.Info("api.authorities", zap.String("file", a.path))
	}
}

// reload has the file read again soon.
func (a *authorities) reload() {
	select {
	case a.ask <- struct{}{}:
	default:
	}
}

// of returns the settings of TLS with the authorities as they are at each connection. Tickets of sessions are off: who resumes one is not
// held against them again.
func (a *authorities) of(base *tls.Config) *tls.Config {
	out := base.Clone()
	out.ClientAuth = tls.VerifyClientCertIfGiven // who shows none may have a token
	out.SessionTicketsDisabled = true
	out.NextProtos = []string{"h2", "http/1.1"} // net/http adds them to its own copy only
	each := out.Clone()
	out.ClientCAs = a.now.Load()
	out.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		c := each.Clone()
		c.ClientCAs = a.now.Load()
		return c, nil
	}
	return out
}
