package node_test

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"fairlead/api/resource"
	"fairlead/internal/node"
)

// reachDocument has monitors and load sources that a document should not get anywhere with. Its first %d is the port of the API, the
// second one of a web server.
const reachDocument = `zones: [{name: example.test, nameservers: [ns.example.test], records: "ns 60 A 192.0.2.53"}]
sites: [{name: here, address: 127.0.0.1}]
monitors:
  - {name: up, type: tcp, interval: 200ms, timeout: 200ms, fall: 1}
  - {name: ok, type: http, interval: 200ms, timeout: 200ms, fall: 1, http: {path: /leads-to-the-api}}
services:
  - {name: api, site: here, addresses: [127.0.0.1], port: %[1]d, monitors: [up]}
  - {name: linked, site: here, addresses: [169.254.7.7], port: 80, monitors: [up]}
  - {name: beside, site: here, addresses: ["::1"], port: %[1]d, monitors: [up]}
  - {name: redirected, site: here, addresses: [127.0.0.2], port: %[2]d, monitors: [ok]}
  - {name: told, site: here, addresses: [192.0.2.8], load: {source: json, url: "http://127.0.0.1:%[1]d/v1/status/services", interval: 2s, timeout: 2s}}
  - {name: moved, site: here, addresses: [192.0.2.9], load: {source: json, url: "http://127.0.0.2:%[2]d/", interval: 2s, timeout: 2s}}
virtual_servers:
  - {name: www, method: round-robin, domains: [{name: www.example.test}], members: [{service: api}, {service: linked}, {service: beside}, {service: redirected}, {service: told}, {service: moved}]}
`

// lines is a log that can be looked through while it is written.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *lines) logger() *zap.Logger {
	return zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(l), zap.DebugLevel))
}

// eventually waits until what is looked for stands in the log.
func (l *lines) eventually(t *testing.T, want ...string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		found := 0
		for line := range strings.Lines(l.String()) {
			all := true
			for _, w := range want {
				all = all && strings.Contains(line, w)
			}
			if all {
				found++
			}
		}
		if found > 0 {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("no line with %q in\n%s", want, l)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// TestTheDocumentDoesNotReachIn: neither by the network of the machine nor by one that a test brings.
func TestTheDocumentDoesNotReachIn(t *testing.T) {
	t.Parallel()
	for _, seam := range []bool{false, true} {
		t.Run(fmt.Sprint("seam ", seam), func(t *testing.T) {
			var log lines
			var dialled sync.Map
			api := freePort(t)
			web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, fmt.Sprintf("http://127.0.0.1:%d/v1/status/services", api), http.StatusFound)
			}))
			l, err := net.Listen("tcp", "127.0.0.2:0")
			if err != nil {
				t.Skipf("there is no 127.0.0.2: %v", err)
			}
			web.Listener.Close()
			web.Listener = l
			web.Start()
			defer web.Close()
			p := newPlace(t, true)
			p.config.API.Listen = fmt.Sprintf("127.0.0.1:%d", api)
			p.write(fmt.Sprintf(reachDocument, api, netip.MustParseAddrPort(l.Addr().String()).Port()))
			n, _ := p.serve(func(o *node.Options) {
				o.Logger = log.logger()
				if seam {
					o.ProbeDial = func(ctx context.Context, network, address string) (net.Conn, error) {
						dialled.Store(address, true)
						return new(net.Dialer).DialContext(ctx, network, address)
					}
				}
			})
			down := func(service, why string) {
				t.Helper()
				serviceAt(t, n, service, func(s *resource.Service) bool { return strings.Contains(s.Reason, why) })
			}
			down("api", "probes do not reach 127.0.0.1:"+fmt.Sprint(api)+": a control socket of this node")
			down("linked", "probes do not reach 169.254.7.7: a link-local address (node file: probes.allow)")
			down("beside", "refused") // another address than that of the API: nobody listens there
			down("redirected", "status 302, want 200-299")
			log.eventually(t, "load.failed", `"told"`, "a control socket of this node")
			log.eventually(t, "load.failed", `"moved"`, "status 302")
			for _, address := range []string{p.config.API.Listen, "169.254.7.7:80"} {
				if _, was := dialled.Load(address); was {
					t.Errorf("%s was dialled", address)
				}
			}
		})
	}
}

// TestSecretsAreNotShown: in no log line, reason, status or answer of the API.
func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	const password = "hunter2-the-password"
	web := httptest.NewTLSServer(http.NotFoundHandler())
	defer web.Close()
	var log lines
	p := newPlace(t, true)
	directory := t.TempDir()
	file, cert := filepath.Join(directory, "key"), filepath.Join(directory, "cert")
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw})
	if err := errors.Join(os.WriteFile(file, []byte(password+"\n"), 0o644), os.WriteFile(cert, chain, 0o644)); err != nil {
		t.Fatal(err)
	}
	p.config.Probes.Secrets.Directories = []string{directory}
	p.write(fmt.Sprintf(`zones: [{name: example.test, nameservers: [ns.example.test], records: "ns 60 A 192.0.2.53"}]
sites: [{name: here, address: 127.0.0.1}]
monitors:
  - {name: key, type: https, interval: 200ms, timeout: 200ms, fall: 1, tls: {verify: false, cert_file: "%[3]s", key_file: "file:%[1]s"}}
  - {name: outside, type: https, interval: 200ms, timeout: 200ms, fall: 1, tls: {verify: false, cert_file: "%[3]s", key_file: "file:/etc/passwd"}}
services:
  - {name: web, site: here, addresses: [127.0.0.1], port: %[2]d, monitors: [key]}
  - {name: other, site: here, addresses: [127.0.0.1], port: %[2]d, monitors: [outside]}
virtual_servers:
  - {name: www, method: round-robin, domains: [{name: www.example.test}], members: [{service: web}, {service: other}]}
`, file, netip.MustParseAddrPort(web.Listener.Addr().String()).Port(), cert))
	n, _ := p.serve(func(o *node.Options) { o.Logger = log.logger() })
	serviceAt(t, n, "web", func(s *resource.Service) bool { return strings.Contains(s.Reason, "tls.cert_file and tls.key_file") })
	serviceAt(t, n, "other", func(s *resource.Service) bool {
		return strings.Contains(s.Reason, "read secret file:/etc/passwd: outside of the directories")
	})
	log.eventually(t, "monitor.secret_readable", file)
	shown := log.String()
	for _, path := range []string{"/v1/status/services", "/v1/status/services/web", "/v1/status/virtual-servers", "/v1/status/sites", "/v1/config", "/v1/explain?name=www.example.test&type=A&client=192.0.2.1", "/metrics"} {
		resp, err := http.Get("http://" + n.APIAddr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		shown += string(body)
	}
	if strings.Contains(shown, password) {
		t.Error("the secret is shown")
	}
	if strings.Contains(shown, "root:") {
		t.Error("a file that is no secret is shown")
	}
}
