package config

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	// maxDnstapIdentity bounds what each dnstap message carries.
	maxDnstapIdentity = 255
	// minSample is the smallest share of queries that is not none.
	minSample = 1e-9
)

// checkObservers checks what queries are shown to.
func (c *nodeChecker) checkObservers() {
	tap, log := c.node.DNS.Dnstap, &c.node.DNS.QueryLog
	if tap != nil {
		c.checkDnstap(tap)
	}
	switch {
	case log.Sample == 0:
		if log.File != "" {
			c.page.problem("/dns/query_log/file", codeWarnNoEffect, "write sample: 0.001 to log one query in a thousand", "no query is in the sample, so nothing is written")
		}
	case log.Sample < minSample:
		c.page.problem("/dns/query_log/sample", codeRange, "write 0 to log nothing", "the sample is smaller than one query in a billion")
	}
	if tap != nil && tap.File != "" && filepath.Clean(tap.File) == filepath.Clean(log.File) {
		c.page.problem("/dns/query_log/file", codeNodeSameFile, "give each its own file", "dnstap writes %s, too", quote(log.File))
	}
}

func (c *nodeChecker) checkDnstap(tap *NodeDnstap) {
	var outputs []string
	for _, o := range []struct{ key, value string }{{"socket", tap.Socket}, {"tcp", tap.TCP}, {"file", tap.File}} {
		if o.value != "" {
			outputs = append(outputs, o.key)
		}
	}
	switch {
	case len(outputs) == 0:
		c.page.problem("/dns/dnstap", codeNodeDnstapOutput, "add socket: /run/…, tcp: host:port or file: …", "dnstap has nowhere to write to")
	case len(outputs) > 1:
		c.page.problem(at("dns", "dnstap", outputs[1]), codeNodeDnstapOutput, "keep one of them", "%s exclude each other", strings.Join(outputs, " and "))
	}
	if tap.TCP != "" && !isHostPort(tap.TCP) {
		c.page.problem("/dns/dnstap/tcp", codeNodeDnstapAddress, "write 192.0.2.1:6000, [2001:db8::1]:6000 or collector.example.com:6000", "%s is not a host with a port", quote(tap.TCP))
	}
	for i, m := range tap.Messages {
		if slices.Contains(tap.Messages[:i], m) {
			c.page.problem(at("dns", "dnstap", "messages", i), codeNodeDnstapMessage, "remove one of them", "%s stands twice", quote(string(m)))
		}
	}
	if n := len(tap.Identity); n > maxDnstapIdentity {
		c.page.problem("/dns/dnstap/identity", codeNodeDnstapIdentity, "", "the identity has %d bytes; the limit is %d", n, maxDnstapIdentity)
	}
}

// isHostPort reports whether text is an address or name with a port from 1 to 65535.
func isHostPort(text string) bool {
	host, portText, err := net.SplitHostPort(text)
	port, portErr := strconv.ParseUint(portText, 10, 16)
	return err == nil && host != "" && portErr == nil && port > 0
}

// checkObserverFiles checks that the files that queries are written to have a directory.
func checkObserverFiles(p *page, n *Node) {
	files := []struct{ path, file string }{{"/dns/query_log/file", n.DNS.QueryLog.File}}
	if tap := n.DNS.Dnstap; tap != nil {
		files = append(files, struct{ path, file string }{"/dns/dnstap/file", tap.File})
	}
	for _, f := range files {
		if f.file == "" {
			continue
		}
		if info, err := os.Stat(filepath.Dir(f.file)); err != nil {
			p.problem(f.path, codeNodeFile, "make the directory", "%v", err)
		} else if !info.IsDir() {
			p.problem(f.path, codeNodeFile, "", "%s is not a directory", quote(filepath.Dir(f.file)))
		}
	}
}
