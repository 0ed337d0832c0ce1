package etcdstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"time"
)

// alertWithin is how long is waited for the other end to say that it does not take a certificate: it does so after the handshake.
const alertWithin = 300 * time.Millisecond

// handshake says why no connection with TLS can be made to a member; nil: one can be.
func handshake(endpoint string, config *tls.Config, timeout time.Duration) error {
	u, err := url.Parse(endpoint)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return err
	}
	defer conn.Close()
	config = config.Clone()
	config.ServerName, config.NextProtos = u.Hostname(), []string{"h2"}
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("%s: %w", u.Host, err)
	}
	if err := secured.SetReadDeadline(time.Now().Add(alertWithin)); err != nil {
		return err
	}
	if _, err := secured.Read(make([]byte, 1)); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("%s: %w", u.Host, err)
	}
	return nil
}
