package config

import (
	"net"
	"net/netip"
	"path/filepath"
	"strings"
)

// maxExpectBody bounds the text looked for in a body: as much as is read of it.
const maxExpectBody = 64 << 10

func (c *checker) checkMonitors() {
	for i := range c.doc.Monitors {
		m := &c.doc.Monitors[i]
		path := at("monitors", i)
		if m.Type != MonitorCalculated && m.Type != MonitorPassive { // these have none
			c.checkTimeout(path, m.Interval, m.Timeout)
		}
		c.checkProbeKeys(m, path)
		c.checkProbeCommon(m, path)
		c.checkHTTPProbe(&m.HTTP, path+"/http")
		c.checkTLSProbe(&m.TLS, path+"/tls")
		c.checkScript(m, path+"/script")
		c.checkDialogue(m, path)
		c.checkDrainKinds(m, path)
		c.checkDNSProbe(m, path+"/dns")
		c.checkGRPCProbe(m, path+"/grpc")
		c.checkServiceProbe(m, path)
		c.checkDatabaseProbe(m, path)
		c.checkSNMPProbe(m, path)
		c.checkQuorum(path+"/quorum", &m.Quorum)
	}
}

func (c *checker) checkHTTPProbe(h *HTTPProbe, path string) {
	if !strings.HasPrefix(h.Path, "/") || strings.ContainsFunc(h.Path, notVisible) {
		c.problem(path+"/path", codeHTTPProbe, "a path starts with / and has no spaces", "%s is not a request path", quote(h.Path))
	}
	if h.Method == "" || strings.Trim(h.Method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "" {
		c.problem(path+"/method", codeHTTPProbe, "write GET, HEAD, POST …", "%s is not a request method", quote(h.Method))
	}
	if h.Host != "" && !validHostHeader(h.Host) {
		c.problem(path+"/host", codeHTTPProbe, "write www.example.com or www.example.com:8080", "%s is not a host", quote(h.Host))
	}
	if c.page.present(path+"/expect_status") && len(h.ExpectStatus) == 0 && !c.page.failed[path+"/expect_status"] {
		c.problem(path+"/expect_status", codeEmptyList, "leave it out for 200-299", "no status would pass")
	}
	for i, s := range h.ExpectStatus {
		if _, err := ParseStatusRange(s); err != nil {
			c.problem(path+at("expect_status", i), codeExpectStatus, "", "%v", err)
		}
	}
	c.checkHTTPHeaders(h, path+"/headers")
	c.checkProbeText(path+"/body", h.Body)
	c.checkRegexp(path+"/expect_body_regexp", h.ExpectBodyRegexp)
	if len(h.ExpectBody) > maxExpectBody {
		c.problem(path+"/expect_body", codeHTTPProbe, "", "the text has %d bytes; only the first %d of a body are read", len(h.ExpectBody), maxExpectBody)
	}
}

// notVisible reports what cannot stand in a request line: spaces, control characters, and all beyond ASCII.
func notVisible(r rune) bool { return r <= ' ' || r >= 0x7F }

// validHostHeader accepts a host name or address with an optional port (RFC 9110 section 7.2).
func validHostHeader(s string) bool {
	host := s
	if _, err := netip.ParseAddr(s); err != nil && strings.Contains(s, ":") {
		h, port, err := net.SplitHostPort(s)
		if err != nil {
			return false
		}
		if _, err := parsePort(port); err != nil {
			return false
		}
		host = h
	}
	return validHost(host)
}

func validHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	_, err := canonicalHost(s)
	return err == nil
}

func (c *checker) checkTLSProbe(t *TLSProbe, path string) {
	if t.ServerName != "" && !validHost(t.ServerName) {
		c.problem(path+"/server_name", codeProbeTLS, "", "%s is not a host name", quote(t.ServerName))
	}
	c.checkClientCertificate(t, path)
	if t.CAFile == "" {
		return
	}
	if !filepath.IsAbs(t.CAFile) {
		c.problem(path+"/ca_file", codeProbeTLS, "the document is shared: every site reads the same path", "%s is not an absolute path", quote(t.CAFile))
	}
	if !t.Verify {
		c.problem(path+"/ca_file", codeWarnNoEffect, "", "ca_file has no effect with verify: false")
	}
}

// checkClientCertificate checks what a probe shows of its own.
func (c *checker) checkClientCertificate(t *TLSProbe, path string) {
	c.checkSecret(path+"/key_file", t.KeyFile)
	switch {
	case t.CertFile == "" && t.KeyFile != "":
		c.problem(path+"/key_file", codeProbeTLS, "add cert_file:", "key_file has no certificate to it")
	case t.CertFile != "" && t.KeyFile == "" && !c.page.failed[path+"/key_file"]:
		c.problem(path+"/cert_file", codeProbeTLS, "add key_file:", "cert_file has no private key to it")
	case t.CertFile != "" && !filepath.IsAbs(t.CertFile):
		c.problem(path+"/cert_file", codeProbeTLS, "the document is shared: every site reads the same path", "%s is not an absolute path", quote(t.CertFile))
	}
}

// checkHTTPHeaders checks the headers of the document; some are the probe's to write.
func (c *checker) checkHTTPHeaders(h *HTTPProbe, path string) {
	c.checkProbeHeaders(path, h.Headers)
	for i := range h.Headers {
		name := strings.ToLower(h.Headers[i].Name)
		switch name {
		case "host":
			c.problem(path+at(i)+"/name", codeHTTPProbe, "write http.host", "header %s is not written here", quote(h.Headers[i].Name))
		case "connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer", "keep-alive", "proxy-connection":
			c.problem(path+at(i)+"/name", codeHTTPProbe, "remove it", "header %s is the probe's own to write", quote(h.Headers[i].Name))
		}
	}
}
