package client

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
)

// maxCredentialFile bounds the files that say who the client is, in bytes.
const maxCredentialFile = 1 << 20

// Options say which node is asked, and by whom. Files are PEM.
type Options struct {
	Address  string // host:port, or an http or https URL without a path; without a scheme https when there is a CA or a certificate
	Token    string // empty: none is sent
	CAFile   string // authorities that the node's certificate is trusted by; empty: the system's
	CertFile string // certificate of the client; with KeyFile or not at all
	KeyFile  string
}

// ErrPlainToken is the error when a token would be sent where others can read it.
var ErrPlainToken = errors.New("a token is not sent over plain http to another machine: write https://")

// Open returns a client. Files are read; nothing is asked yet.
func Open(o Options) (*Client, error) {
	secure := o.CAFile != "" || o.CertFile != "" || o.KeyFile != ""
	base, err := baseURL(o.Address, secure)
	if err != nil {
		return nil, err
	}
	if secure && base.Scheme == "http" {
		return nil, fmt.Errorf("read API address %q: with a CA or a certificate the scheme is https", o.Address)
	}
	if o.Token != "" && plain(base) {
		return nil, fmt.Errorf("ask %s: %w", base.Host, ErrPlainToken)
	}
	if strings.ContainsFunc(o.Token, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return nil, errors.New("read token: it has characters that no token has")
	}
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CAFile != "" {
		text, err := readBounded(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read CA: %w", err)
		}
		settings.RootCAs = x509.NewCertPool()
		if !settings.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("read CA: %q holds no PEM certificate", o.CAFile)
		}
	}
	if o.CertFile != "" || o.KeyFile != "" {
		pair, err := clientCertificate(o.CertFile, o.KeyFile)
		if err != nil {
			return nil, err
		}
		settings.Certificates = []tls.Certificate{pair}
	}
	return &Client{
		base:  &url.URL{Scheme: base.Scheme, Host: base.Host},
		token: o.Token,
		http: &http.Client{
			Timeout: RequestTimeout,
			Transport: &http.Transport{
				DialContext:            (&net.Dialer{Timeout: RequestTimeout}).DialContext,
				TLSClientConfig:        settings,
				TLSHandshakeTimeout:    RequestTimeout,
				MaxIdleConnsPerHost:    1,
				IdleConnTimeout:        RequestTimeout,
				MaxResponseHeaderBytes: maxHeaderBytes,
			},
			// A redirect is not followed: it could lead the token elsewhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// baseURL reads an address: scheme, host and port alone.
func baseURL(address string, secure bool) (*url.URL, error) {
	text := address
	if !strings.Contains(text, "://") {
		if text = "http://" + text; secure {
			text = "https://" + address
		}
	}
	base, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read API address %q: write it as host:port, for example %s", address, DefaultAddress)
	case base.Scheme != "http" && base.Scheme != "https":
		return nil, fmt.Errorf("read API address %q: the scheme is %q; the API speaks http and https", address, base.Scheme)
	case base.Hostname() == "" || base.Port() == "":
		return nil, fmt.Errorf("read API address %q: write it as host:port, for example %s", address, DefaultAddress)
	case strings.Trim(base.Path, "/") != "" || base.RawQuery != "" || base.Fragment != "" || base.User != nil:
		return nil, fmt.Errorf("read API address %q: there is something besides host and port", address)
	}
	return base, nil
}

// plain reports whether others can read what is sent to an address on its way.
func plain(base *url.URL) bool { return base.Scheme == "http" && !thisMachine(base.Hostname()) }

// thisMachine reports whether a host of an address is this machine, whatever name servers say.
func thisMachine(host string) bool {
	if strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

func clientCertificate(certFile, keyFile string) (tls.Certificate, error) {
	if certFile == "" || keyFile == "" {
		return tls.Certificate{}, errors.New("read client certificate: it needs both a certificate and its key")
	}
	cert, err := readBounded(certFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read client certificate: %w", err)
	}
	key, err := readBounded(keyFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read key of client certificate %q: %w", certFile, err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read client certificate %q with key %q: %w", certFile, keyFile, err)
	}
	return pair, nil
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxCredentialFile+1))
	if err == nil && len(text) > maxCredentialFile {
		err = fmt.Errorf("read %q: larger than %d bytes", path, maxCredentialFile)
	}
	return text, err
}
