package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"fairlead/config"
)

// maxHealth bounds the answer of a member of etcd, in bytes.
const maxHealth = 64 << 10

// etcd asks each member whether it is healthy.
func (p *patient) etcd(ctx context.Context, f *findings) {
	if p.node == nil || p.node.Config.Store.Etcd == nil {
		f.skip("", "the document is not kept there")
		return
	}
	e := p.node.Config.Store.Etcd
	settings, err := etcdTLS(e.TLS)
	if err != nil {
		f.add(Failed, "config.store.etcd.tls", errText(err), "etcd is not reached", "name readable PEM files")
		return
	}
	transport := &http.Transport{DialContext: p.o.Dial, TLSClientConfig: settings, DisableKeepAlives: true, MaxResponseHeaderBytes: maxHealth}
	asker := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	good := 0
	errs := make([]error, len(e.Endpoints))
	var all sync.WaitGroup
	for n, member := range e.Endpoints {
		all.Go(func() {
			limited, cancel := context.WithTimeout(ctx, e.Timeout.Std())
			defer cancel()
			errs[n] = healthy(limited, asker, member)
		})
	}
	all.Wait()
	for n, member := range e.Endpoints {
		err := errs[n]
		if err == nil {
			good++
			f.ok(member, "it is healthy")
			continue
		}
		f.add(Warning, member, errText(err), "writes need most members; this node serves on without them", "look at that member: etcdctl endpoint health --endpoints "+member)
	}
	switch {
	case good == 0 && ctx.Err() != nil:
		f.timeUp("")
	case good == 0:
		f.add(Failed, "", "no member is healthy, or can be reached", "the document cannot be changed, nor changes be seen", "start etcd, and look at config.store.etcd in the node file")
	}
}

func healthy(ctx context.Context, asker *http.Client, member string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(member, "/")+"/health", nil)
	if err != nil {
		return err
	}
	response, err := asker.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxHealth))
	if err != nil {
		return err
	}
	var said struct {
		Health string `json:"health"`
		Reason string `json:"reason"`
	}
	switch {
	case json.Unmarshal(text, &said) != nil || said.Health == "":
		return fmt.Errorf("what answers is no member of etcd: %s", response.Status)
	case said.Health != "true":
		return fmt.Errorf("it says that it is not healthy: %s", said.Reason)
	}
	return nil
}

func etcdTLS(c config.NodeTLS) (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CA != "" {
		text, err := readBounded(c.CA)
		if err != nil {
			return nil, err
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(text) {
			return nil, errors.New(c.CA + " holds no PEM certificate")
		}
	}
	if c.Cert != "" {
		pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
		if err != nil {
			return nil, err
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}
