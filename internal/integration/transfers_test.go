//go:build integration

package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest"
	"go.uber.org/zap/zaptest/observer"

	"fairlead/config"
	"fairlead/internal/node"
	"fairlead/internal/testkit/loopback"
)

// fetchSecret is the TSIG secret of all servers in these tests.
const fetchSecret = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// other is another DNS server on a port of its own.
type other struct {
	t       *testing.T
	name    string
	dir     string
	port    int
	process *exec.Cmd
	output  bytes.Buffer
}

// newOther makes the directory of a server, or skips the test when it is not installed.
func newOther(t *testing.T, program string) *other {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("needs %s: %v", program, err)
	}
	return &other{t: t, name: program, dir: t.TempDir(), port: loopback.Port(t)}
}

func (o *other) write(name, text string) string {
	o.t.Helper()
	path := filepath.Join(o.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		o.t.Fatal(err)
	}
	return path
}

// start runs the server until the test ends.
func (o *other) start(args ...string) {
	o.t.Helper()
	o.process = exec.Command(o.name, args...)
	o.process.Stdout, o.process.Stderr = &o.output, &o.output
	if err := o.process.Start(); err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() {
		_ = o.process.Process.Signal(syscall.SIGTERM)
		_ = o.process.Wait()
		if o.t.Failed() {
			o.t.Logf("%s said:\n%s", o.name, o.output.String())
		}
	})
}

// startNSD runs NSD with one zone.
func (o *other) startNSD(zone string) {
	o.start("-d", "-c", o.write("nsd.conf", fmt.Sprintf(`server:
  ip-address: 127.0.0.1@%d
  username: ""
  database: ""
  zonesdir: %q
  pidfile: "%[2]s/nsd.pid"
  xfrdfile: "%[2]s/xfrd.state"
  zonelistfile: "%[2]s/zone.list"
  xfrdir: %[2]q
  server-count: 1
  verbosity: 1
remote-control:
  control-enable: no
key:
  name: fetch
  algorithm: hmac-sha256
  secret: %q
zone:
%s`, o.port, o.dir, fetchSecret, zone)))
}

// startKnot runs Knot with one zone and further sections.
func (o *other) startKnot(sections string) {
	o.start("-c", o.write("knot.conf", fmt.Sprintf(`server:
  listen: 127.0.0.1@%d
  rundir: %q
database:
  storage: %[2]q
template:
  - id: default
    storage: %[2]q
log:
  - target: stderr
    any: info
key:
  - id: fetch
    algorithm: hmac-sha256
    secret: %q
%s`, o.port, o.dir, fetchSecret, sections)))
}

// startBIND runs BIND with one zone.
func (o *other) startBIND(zone string) {
	o.start("-g", "-c", o.write("named.conf", fmt.Sprintf(`options {
	directory %[2]q; pid-file none; session-keyfile none;
	listen-on port %[1]d { 127.0.0.1; }; listen-on-v6 { none; };
	recursion no; dnssec-validation no; empty-zones-enable no; notify-delay 0; startup-notify-rate 100; serial-query-rate 100;
};
controls { };
key fetch { algorithm hmac-sha256; secret %[3]q; };
%[4]s`, o.port, o.dir, fetchSecret, zone)))
}

// served is a node with a followed document.
type served struct {
	reload func(document string)
	log    *observer.ObservedLogs
}

// await waits until the node has logged an event with a form of transfer.
func (s *served) await(t *testing.T, event, form string) {
	t.Helper()
	eventually(t, 10*time.Second, event+" "+form, func() error {
		if n := s.log.FilterMessage(event).FilterField(zap.String("form", form)).Len(); n == 0 {
			return fmt.Errorf("not logged in %d events", s.log.Len())
		}
		return nil
	})
}

// serving runs a node on a port.
func serving(t *testing.T, port int, document string) *served {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "gslb.yaml")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(path, document)
	write(filepath.Join(dir, "fetch.secret"), fetchSecret+"\n")
	write(filepath.Join(dir, "node.yaml"), fmt.Sprintf(`site: here
data_dir: data
config: {follow: gslb.yaml}
dns:
  listen: ["127.0.0.1:%d"]
  tsig_keys: [{name: fetch, secret_file: fetch.secret}]
api: {listen: "127.0.0.1:0"}
`, port))
	c, report, err := config.LoadNode(filepath.Join(dir, "node.yaml"))
	if err != nil || c == nil {
		t.Fatal(err, report.Err())
	}
	observed, log := observer.New(zapcore.InfoLevel)
	logger := zaptest.NewLogger(t, zaptest.WrapOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core { return zapcore.NewTee(core, observed) })))
	n, err := node.New(node.Options{Config: c, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	if err := n.Listen(ctx); err != nil {
		cancel()
		t.Fatal(err)
	}
	go func() { done <- n.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return &served{log: log, reload: func(document string) {
		t.Helper()
		write(path, document)
		if err := n.Reload(); err != nil {
			t.Fatal(err)
		}
	}}
}

// address asks a server for the address of a name, until it is want.
func address(t *testing.T, port int, name, want string) {
	t.Helper()
	got := ""
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		m, _, err := new(dns.Client).Exchange(new(dns.Msg).SetQuestion(name, dns.TypeA), fmt.Sprintf("127.0.0.1:%d", port))
		got = fmt.Sprint(err)
		if err == nil {
			got = dns.RcodeToString[m.Rcode]
			for _, rr := range m.Answer {
				if a, ok := rr.(*dns.A); ok {
					got = a.A.String()
				}
			}
		}
		if got == want {
			return
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-t.Context().Done():
		}
	}
	t.Fatalf("%s at port %d: %s, want %s", name, port, got, want)
}

// outDocument is a zone that others may fetch with the key.
func outDocument(serial, last, notify int) string {
	return fmt.Sprintf(`zones:
  - name: out.test
    nameservers: [ns1.example.net]
    serial: %d
    transfer: {allow: ["key:fetch"], notify: [{address: "127.0.0.1:%d", key: fetch}]}
    records: |
      static 60 A 192.0.2.%d
      odd    60 TYPE65534 \# 3 010203
sites: [{name: here, address: 127.0.0.1}]
services: [{name: web, site: here, addresses: [192.0.2.80]}]
virtual_servers: [{name: www, domains: [{name: www.out.test}], method: round-robin, members: [{service: web}]}]
`, serial, notify, last)
}

// TestOthersAsSecondaries: NSD, Knot and BIND fetch a signed zone, and a NOTIFY makes them fetch the next version at once.
func TestOthersAsSecondaries(t *testing.T) {
	for program, start := range map[string]func(o *other, fairlead int){
		"nsd": func(o *other, fairlead int) {
			o.startNSD(fmt.Sprintf("  name: out.test\n  zonefile: out.test.zone\n  request-xfr: 127.0.0.1@%d fetch\n  allow-notify: 127.0.0.1 fetch\n", fairlead))
		},
		"knotd": func(o *other, fairlead int) {
			o.startKnot(fmt.Sprintf(`remote:
  - id: fairlead
    address: 127.0.0.1@%d
    key: fetch
acl:
  - id: notified
    address: 127.0.0.1
    key: fetch
    action: notify
zone:
  - domain: out.test
    master: fairlead
    acl: notified
`, fairlead))
		},
		"named": func(o *other, fairlead int) {
			o.startBIND(fmt.Sprintf(`zone "out.test" {
	type secondary; file "out.test.zone"; notify no;
	primaries { 127.0.0.1 port %d key fetch; }; allow-notify { key fetch; };
};
`, fairlead))
		},
	} {
		t.Run(program, func(t *testing.T) {
			o := newOther(t, program)
			port := loopback.Port(t)
			here := serving(t, port, outDocument(1, 1, o.port))
			start(o, port)
			address(t, o.port, "static.out.test.", "192.0.2.1")
			address(t, o.port, "www.out.test.", "192.0.2.80")
			here.await(t, "dns.transfer.sent", "axfr")
			here.reload(outDocument(2, 2, o.port))
			address(t, o.port, "static.out.test.", "192.0.2.2")
			here.reload(outDocument(3, 3, o.port))
			address(t, o.port, "static.out.test.", "192.0.2.3")
			address(t, o.port, "www.out.test.", "192.0.2.80")
			here.await(t, "dns.transfer.sent", "ixfr")
		})
	}
}

// inZone is the zone file of a primary.
func inZone(serial, last int) string {
	return fmt.Sprintf("$TTL 60\n@ SOA ns host %d 3600 600 86400 60\n@ NS ns\nns A 192.0.2.53\nstatic A 192.0.2.%d\n", serial, last)
}

// TestOthersAsPrimaries: Fairlead fetches a signed zone from NSD, Knot and BIND, and the next version when they say so.
func TestOthersAsPrimaries(t *testing.T) {
	for program, start := range map[string]func(o *other, fairlead int){
		"nsd": func(o *other, fairlead int) {
			o.startNSD(fmt.Sprintf("  name: in.test\n  zonefile: in.test.zone\n  provide-xfr: 127.0.0.1 fetch\n  notify: 127.0.0.1@%d fetch\n", fairlead))
		},
		"knotd": func(o *other, fairlead int) {
			o.startKnot(fmt.Sprintf(`remote:
  - id: fairlead
    address: 127.0.0.1@%d
    key: fetch
acl:
  - id: fetching
    address: 127.0.0.1
    key: fetch
    action: transfer
zone:
  - domain: in.test
    notify: fairlead
    acl: fetching
    zonefile-load: difference
`, fairlead))
		},
		"named": func(o *other, fairlead int) {
			o.startBIND(fmt.Sprintf(`zone "in.test" {
	type primary; file "in.test.zone"; ixfr-from-differences yes; max-ixfr-ratio unlimited;
	allow-transfer { key fetch; }; notify explicit; also-notify { 127.0.0.1 port %d key fetch; };
};
`, fairlead))
		},
	} {
		t.Run(program, func(t *testing.T) {
			o := newOther(t, program)
			o.write("in.test.zone", inZone(1, 1))
			port := loopback.Port(t)
			start(o, port)
			address(t, o.port, "static.in.test.", "192.0.2.1")
			here := serving(t, port, fmt.Sprintf(`zones: [{name: in.test, primaries: [{address: "127.0.0.1:%d", key: fetch}]}]
sites: [{name: here, address: 127.0.0.1}]
services: [{name: web, site: here, addresses: [192.0.2.80]}]
virtual_servers: [{name: www, domains: [{name: www.in.test}], method: round-robin, members: [{service: web}]}]
`, o.port))
			address(t, port, "static.in.test.", "192.0.2.1")
			address(t, port, "www.in.test.", "192.0.2.80")
			o.write("in.test.zone", inZone(2, 2))
			if err := o.process.Process.Signal(syscall.SIGHUP); err != nil && !errors.Is(err, os.ErrProcessDone) {
				t.Fatal(err)
			}
			address(t, port, "static.in.test.", "192.0.2.2")
			address(t, port, "www.in.test.", "192.0.2.80")
			if program != "nsd" { // it sends the whole zone when its file was read again
				here.await(t, "dns.secondary.updated", "ixfr")
			}
		})
	}
}

// TestDig: another client's signed transfers and queries.
func TestDig(t *testing.T) {
	if _, err := exec.LookPath("dig"); err != nil {
		t.Skipf("needs dig: %v", err)
	}
	port := loopback.Port(t)
	serving(t, port, outDocument(1, 1, loopback.Port(t))).reload(outDocument(2, 2, loopback.Port(t)))
	address(t, port, "static.out.test.", "192.0.2.2")
	dig := func(args ...string) string {
		out, _ := exec.Command("dig", append([]string{"@127.0.0.1", "-p", fmt.Sprint(port), "+noall", "+answer", "+comments"}, args...)...).CombinedOutput()
		return string(out)
	}
	key := "hmac-sha256:fetch:" + fetchSecret
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"AXFR":            {[]string{"-y", key, "out.test", "AXFR"}, "TYPE65534"},
		"IXFR":            {[]string{"-y", key, "out.test", "IXFR=1"}, "192.0.2.1"},
		"without the key": {[]string{"out.test", "AXFR"}, "Transfer failed"},
		"another secret":  {[]string{"-y", "hmac-sha256:fetch:" + strings.Replace(fetchSecret, "MD", "MC", 1), "static.out.test", "A"}, "NOTAUTH"},
		"unknown key":     {[]string{"-y", "hmac-sha256:other:" + fetchSecret, "static.out.test", "A"}, "NOTAUTH"},
		"signed query":    {[]string{"-y", key, "static.out.test", "A"}, "192.0.2.2"},
	} {
		if got := dig(c.args...); !strings.Contains(got, c.want) || c.want == "192.0.2.2" && strings.Contains(got, "Couldn't verify") {
			t.Errorf("%s: want %q in\n%s", name, c.want, got)
		}
	}
}
