package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"fairlead/adns"
	"fairlead/api"
	"fairlead/config"
	"fairlead/internal/access"
	"fairlead/internal/audit"
)

const auditFile = "audit.jsonl" // in data_dir

// door is who gets in at the interface, over what, and what is noted of it.
type door struct {
	config *config.NodeAPI
	log    *zap.Logger
	guard  *access.Guard
	audit  *audit.Log // nil: what is done here is noted nowhere
	// tokensSeen is the file with the tokens that the audit log knows of; empty: none.
	tokensSeen string

	certificates *adns.Certificates // nil: no TLS
	authorities  *authorities       // of client certificates; nil: none are asked for
	tls          *tls.Config
}

// newDoor reads the tokens, the certificate and the authorities of client certificates. dataDir is empty for a node that keeps nothing.
func newDoor(c *config.NodeAPI, dataDir string, log *zap.Logger) (*door, error) {
	d := &door{config: c, log: log}
	if dataDir != "" {
		d.tokensSeen = filepath.Join(dataDir, tokensKnown)
	}
	anonymous := access.NoRole
	if word := c.Anonymous(); word != "none" {
		var err error
		if anonymous, err = access.ParseRole(string(word)); err != nil {
			return nil, fmt.Errorf("read api.anonymous_loopback: %w", err)
		}
	}
	var err error
	d.guard, err = access.New(access.Options{TokensFile: c.TokensFile, Subjects: c.Subjects, Anonymous: anonymous, RateLimit: c.RateLimit, Logger: log, Changed: d.tokensChanged})
	if err != nil {
		return nil, err
	}
	if err := d.secure(); err != nil {
		return nil, err
	}
	file := c.Audit.File
	if file == "" && dataDir != "" {
		file = filepath.Join(dataDir, auditFile)
	}
	if file != "" {
		d.audit, err = audit.Open(audit.Options{Path: file, Logger: log})
	}
	return d, err
}

// secure reads what TLS needs.
func (d *door) secure() (err error) {
	if !d.config.Secure() {
		return nil
	}
	files := d.config.TLS
	if d.certificates, err = adns.LoadCertificates(adns.CertificateOptions{Cert: files.Cert, Key: files.Key, Logger: d.log}); err != nil {
		return err
	}
	d.tls = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: d.certificates.Certificate}
	if files.ClientCA == "" {
		return nil
	}
	if d.authorities, err = newAuthorities(files.ClientCA, d.log); err != nil {
		return err
	}
	d.tls = d.authorities.of(d.tls)
	return nil
}

// tell says to the interface who may ask, and where that is noted.
func (d *door) tell(o *api.Options) {
	o.Access, o.Audit = d.guard, d.audit
	if address, err := netip.ParseAddrPort(d.config.Listen); err != nil || !address.Addr().Unmap().IsLoopback() {
		o.Host = d.named
	}
}

// named reports whether the interface is asked under a name.
func (d *door) named(name string) bool {
	same := func(host string) bool {
		return strings.EqualFold(strings.TrimSuffix(host, "."), strings.TrimSuffix(name, "."))
	}
	return slices.ContainsFunc(d.config.Hosts, same) || d.certificates != nil && d.certificates.Leaf().VerifyHostname(name) == nil
}

// serve answers on a socket until the server is shut down.
func (d *door) serve(server *http.Server, socket net.Listener) error {
	d.log.Info("api.listening", zap.Stringer("address", socket.Addr()), zap.Bool("tls", d.tls != nil), zap.Bool("tokens", d.config.TokensFile != ""),
		zap.Int("subjects", len(d.config.Subjects)), zap.String("anonymous_loopback", string(d.config.Anonymous())))
	limited := newCrowd(socket)
	server.ConnState = limited.observe
	if d.tls == nil {
		return server.Serve(limited)
	}
	server.TLSConfig = d.tls
	return server.ServeTLS(limited, "", "")
}

// run follows the files until ctx ends.
func (d *door) run(ctx context.Context) error {
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return d.guard.Run(running) })
	if d.audit != nil {
		group.Go(func() error { return d.audit.Run(running) })
	}
	if d.certificates != nil {
		group.Go(func() error { return d.certificates.Watch(running) })
	}
	if d.authorities != nil {
		group.Go(func() error { return d.authorities.run(running) })
	}
	return group.Wait()
}

// reload reads the tokens, the certificate and the authorities again. What is refused is in the log.
func (d *door) reload() {
	_ = d.guard.Reload()
	if d.certificates != nil {
		_ = d.certificates.Reload()
	}
	if d.authorities != nil {
		d.authorities.reload()
	}
}

func (d *door) close() error {
	if d == nil || d.audit == nil {
		return nil
	}
	if err := d.audit.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}
