package node

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"fairlead/api"
	"fairlead/config"
	"fairlead/config/etcdstore"
)

// openEtcd makes the engine of a document that is in etcd.
func (n *Node) openEtcd(ctx context.Context, c *config.NodeEtcd) error {
	engine, err := etcdstore.New(ctx, etcdstore.Options{Site: n.opts.Config.Site, Access: etcdAccess(c), ReadOnly: n.opts.Config.Config.ReadOnly, Accept: c.Accept,
		Store: n.store, Compiler: compiler{n}, Seed: n.etcdSeed, Event: n.documentEvent, Logger: n.log.Named("documents")})
	if err != nil {
		return err
	}
	n.documents = engine
	return nil
}

// etcdSeed reads the document to begin with; nil when the node file names none.
func (n *Node) etcdSeed() (*config.Objects, error) {
	if n.opts.Config.Config.Seed == "" {
		return nil, nil
	}
	return n.seed()
}

func etcdAccess(c *config.NodeEtcd) etcdstore.Access {
	a := etcdstore.Access{Endpoints: c.Endpoints, Prefix: c.Prefix, User: c.User, Timeout: c.Timeout.Std()}
	if c.PasswordFile != "" {
		a.Password = func() (string, error) {
			text, err := os.ReadFile(c.PasswordFile)
			if err != nil {
				return "", fmt.Errorf("read the password for etcd: %w", err)
			}
			line, _, _ := bytes.Cut(text, []byte("\n"))
			return strings.TrimSuffix(string(line), "\r"), nil
		}
	}
	if strings.HasPrefix(c.Endpoints[0], "https:") {
		a.TLS = func() (*tls.Config, error) { return etcdTLS(&c.TLS) }
	}
	return a
}

// etcdTLS reads the files that say who etcd is, and who this node is to it.
func etcdTLS(c *config.NodeTLS) (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CA != "" {
		text, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, fmt.Errorf("read the authorities of etcd: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(text) {
			return nil, errors.New("read the authorities of etcd: " + c.CA + " has no PEM certificate")
		}
	}
	if c.Cert != "" {
		pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
		if err != nil {
			return nil, fmt.Errorf("read the certificate for etcd: %w", err)
		}
		t.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			// Connections come and go while the node runs, and certificates do not last. One that is being replaced is not there for a moment.
			if now, err := tls.LoadX509KeyPair(c.Cert, c.Key); err == nil {
				return &now, nil
			}
			return &pair, nil
		}
	}
	return t, nil
}

// writable says whether documents can be stored. A node that cannot store them answers queries all the same: it is ready.
func (n *Node) writable() api.Check {
	c := api.Check{Name: "writes", OK: true, Detail: "can be stored"}
	if n.documents == nil {
		c.Detail = "this node keeps no documents"
	} else if s := n.documents.Sync(); s.Unavailable != "" {
		c.Detail = "cannot be stored now, and what was there last is served: " + s.Unavailable
	}
	return c
}
