//go:build integration

package integration

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/internal/node"
	"fairlead/internal/query"
	"fairlead/internal/testkit/loopback"
)

const tappedDocument = `zones:
  - name: example.test
    nameservers: [ns.example.test]
    records: |
      ns 60 A 192.0.2.53
sites: [{name: here, address: 127.0.0.1}]
services: [{name: web, site: here, addresses: [192.0.2.80]}]
virtual_servers:
  - {name: www, domains: [{name: www.example.test}], method: round-robin, members: [{service: web}]}
`

// TestDnstapTools shows queries to Debian's collector, and reads what it wrote, or what the node wrote itself, with
// Debian's reader.
func TestDnstapTools(t *testing.T) {
	for _, command := range []string{"fstrm_capture", "dnstap-ldns"} {
		if _, err := exec.LookPath(command); err != nil {
			t.Skipf("needs %s (Debian: fstrm-bin, dnstap-ldns): %v", command, err)
		}
	}
	port := strconv.Itoa(loopback.Port(t))
	for _, c := range []struct {
		name    string
		collect []string // how fstrm_capture listens; none: the node writes the file
		output  config.NodeDnstap
	}{
		{"Unix socket", []string{"-u", "tap.sock"}, config.NodeDnstap{Socket: "tap.sock"}},
		{"TCP", []string{"-a", "127.0.0.1", "-p", port}, config.NodeDnstap{TCP: "127.0.0.1:" + port}},
		{"file", nil, config.NodeDnstap{File: "tap.fstrm"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			tap := c.output
			tap.Messages, tap.Queue, tap.Identity = []config.DnstapMessage{config.DnstapQuery, config.DnstapResponse}, 65536, "tapped"
			server, api, stop := serveTapped(t, &tap)
			// The collector comes later than the first query, which must reach it all the same.
			askTapped(t, query.Request{Name: "www.example.test", Server: server})
			finish := func() {}
			if c.collect != nil {
				finish = capture(t, c.collect)
			}
			awaitSent(t, api, 2)
			askTapped(t, query.Request{Name: "missing.example.test", Type: "AAAA", Server: server, TCP: true})
			awaitSent(t, api, 4)
			stop()
			finish()
			checkTapped(t)
		})
	}
}

// serveTapped runs a node with dnstap.
func serveTapped(t *testing.T, tap *config.NodeDnstap) (server, api string, stop func()) {
	t.Helper()
	n, err := node.New(node.Options{
		Source: &config.Source{Name: "document", Text: []byte(tappedDocument)}, Version: "test",
		Config: &config.Node{Site: "here", API: config.NodeAPI{Listen: "127.0.0.1:0"},
			DNS: config.NodeDNS{Listen: []string{"127.0.0.1:0"}, Dnstap: tap}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := n.Listen(ctx); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	return n.DNSAddrs()[0].String(), n.APIAddr().String(), func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func askTapped(t *testing.T, r query.Request) {
	t.Helper()
	if _, err := query.Do(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

// capture runs fstrm_capture into tap.fstrm until the function it returns is called.
func capture(t *testing.T, listen []string) (stop func()) {
	t.Helper()
	cmd := exec.Command("fstrm_capture", append(listen, "-t", "protobuf:dnstap.Dnstap", "-w", "tap.fstrm", "-ddddd")...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("fstrm_capture: %v", err)
		}
		if t.Failed() {
			t.Logf("fstrm_capture said:\n%s", said.String())
		}
	}
}

// awaitSent waits until the node's metrics say that so many messages were sent.
func awaitSent(t *testing.T, api string, messages int) {
	t.Helper()
	want := fmt.Sprintf("\nfairlead_dns_dnstap_messages_total{result=\"sent\"} %d\n", messages)
	deadline := time.After(15 * time.Second)
	for {
		r, err := http.Get("http://" + api + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), want) {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("after 15 s the metrics do not say %q", want)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// checkTapped reads what was collected with dnstap-ldns.
func checkTapped(t *testing.T) {
	t.Helper()
	out, err := exec.Command("dnstap-ldns", "-q", "-r", "tap.fstrm").CombinedOutput()
	if err != nil {
		t.Fatalf("dnstap-ldns: %v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	want := []*regexp.Regexp{
		regexp.MustCompile(`^[-\d]* ?\d\d:\d\d:\d\d\.\d{6} AQ 127\.0\.0\.1 UDP \d+b "www\.example\.test\." IN A$`),
		regexp.MustCompile(`^[-\d]* ?\d\d:\d\d:\d\d\.\d{6} AR 127\.0\.0\.1 UDP \d+b "www\.example\.test\." IN A$`),
		regexp.MustCompile(`^[-\d]* ?\d\d:\d\d:\d\d\.\d{6} AQ 127\.0\.0\.1 TCP \d+b "missing\.example\.test\." IN AAAA$`),
		regexp.MustCompile(`^[-\d]* ?\d\d:\d\d:\d\d\.\d{6} AR 127\.0\.0\.1 TCP \d+b "missing\.example\.test\." IN AAAA$`),
	}
	if len(lines) != len(want) {
		t.Fatalf("dnstap-ldns prints %d lines, want %d:\n%s", len(lines), len(want), out)
	}
	for i, line := range lines {
		if !want[i].MatchString(line) {
			t.Errorf("line %d: got %q, want %s", i+1, line, want[i])
		}
	}
	out, err = exec.Command("dnstap-ldns", "-y", "-r", "tap.fstrm").CombinedOutput()
	if err != nil {
		t.Fatalf("dnstap-ldns: %v\n%s", err, out)
	}
	for _, part := range []string{`identity: "tapped"`, `version: "fairlead test"`, "type: AUTH_RESPONSE", "rcode: NXDOMAIN", "192.0.2.80",
		`response_address: "127.0.0.1"`} {
		if !strings.Contains(string(out), part) {
			t.Errorf("dnstap-ldns does not print %s:\n%s", part, out)
		}
	}
}
