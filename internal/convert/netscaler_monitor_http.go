package convert

import (
	"fmt"
	"regexp"
	"strings"

	"fairlead/config"
)

var (
	requestPath   = regexp.MustCompile(`^/[!-~]*$`)
	requestMethod = regexp.MustCompile(`^[A-Z-]+$`)
	headerName    = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
	// secretHeader are headers whose values let somebody in.
	secretHeader = regexp.MustCompile(`(?i)auth|cookie|token|secret|api-?key|password|session`)
)

// ownHeaders are those that a probe writes itself.
var ownHeaders = map[string]bool{"connection": true, "content-length": true, "transfer-encoding": true, "upgrade": true, "te": true, "trailer": true,
	"keep-alive": true, "proxy-connection": true}

func httpType(o *object) {
	o.out.set("type", "http")
	if o.is("secure", "YES") {
		o.out.set("type", "https")
		o.out.set("tls", inline("verify", false))
	}
}

// httpMonitor is type HTTP: a request and the statuses that pass.
func httpMonitor(n *netscaler, o *object) bool {
	httpType(o)
	request := "HEAD /"
	if p := o.param("httpRequest"); p != nil && p.value() != "" {
		request = p.value()
	}
	n.request(o, "httpRequest", request)
	n.customHeaders(o)
	statuses := n.statuses(o, "respCode")
	if statuses == nil {
		statuses = []string{"200"}
	}
	o.out.section("http").set("expect_status", statuses)
	return true
}

// httpECVMonitor is type HTTP-ECV: a request and a text in the answer, whatever its status.
func httpECVMonitor(n *netscaler, o *object) bool {
	httpType(o)
	send := "GET /"
	if p := o.param("send"); p != nil && p.value() != "" {
		send = unescape(p.value())
	}
	n.request(o, "send", send)
	n.customHeaders(o)
	statuses := n.statuses(o, "respCode")
	if statuses == nil {
		statuses = []string{"100-599"}
	}
	o.out.section("http").set("expect_status", statuses)
	n.expectBody(o)
	return true
}

func (n *netscaler) expectBody(o *object) {
	if p := o.param("recv"); p != nil && p.value() != "" {
		o.out.section("http").set("expect_body", unescape(p.value()))
		n.note(o, p.line, p.text(), "the text is looked for in the body, not in the headers")
	}
}

// http2Monitor is type HTTP2: a request over HTTP/2, or the health check of gRPC.
func http2Monitor(n *netscaler, o *object) bool {
	if o.is("grpcHealthCheck", "YES") {
		o.out.set("type", "grpc")
		security(o)
		if service := o.value("grpcServiceName"); service != "" {
			o.out.section("grpc").set("service", service)
		}
		return true
	}
	o.param("grpcServiceName")
	if !httpMonitor(n, o) {
		return false
	}
	o.out.section("http").set("version", "2")
	n.expectBody(o)
	return true
}

// request takes a request apart: method and path in its first line, headers in the others, and a body.
func (n *netscaler) request(o *object, name, text string) {
	line := o.line
	shown := "-" + name
	if p := o.param(name); p != nil {
		line, shown = p.line, p.text()
	}
	head, body, _ := strings.Cut(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n")
	first, headers, _ := strings.Cut(head, "\n")
	fields := strings.Fields(first)
	if len(fields) < 2 || !requestMethod.MatchString(strings.ToUpper(fields[0])) || !requestPath.MatchString(fields[1]) {
		n.changed(o, line, shown, "it is no method and path: GET / was put in its place")
		fields = []string{"GET", "/"}
	}
	section := o.out.section("http")
	if method := strings.ToUpper(fields[0]); method != "GET" {
		section.set("method", method)
	}
	if fields[1] != "/" {
		section.set("path", fields[1])
	}
	n.headers(o, line, headers)
	if body != "" {
		section.set("body", body)
	}
}

// statuses are the codes that pass.
func (n *netscaler) statuses(o *object, name string) (out []string) {
	p := o.param(name)
	if p == nil {
		return nil
	}
	for _, v := range p.values {
		for v := range strings.FieldsFuncSeq(v, func(r rune) bool { return r == ',' || r == ' ' }) {
			if _, err := config.ParseStatusRange(v); err != nil {
				n.left(o, p.line, p.text(), "%q is not a status or a range of them", v)
				continue
			}
			out = append(out, v)
		}
	}
	return out
}

func (n *netscaler) customHeaders(o *object) {
	if p := o.param("customHeaders"); p != nil {
		n.headers(o, p.line, strings.ReplaceAll(unescape(p.value()), "\r\n", "\n"))
	}
}

// headers adds headers, one a line. Values that let somebody in are looked for in a file.
func (n *netscaler) headers(o *object, line int, text string) {
	section := o.out.section("http")
	list, _ := section.get("headers").([]*mapping)
	for header := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		name, value, ok := strings.Cut(header, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		switch lower := strings.ToLower(name); {
		case !ok || !headerName.MatchString(name):
			n.left(o, line, "-customHeaders", "it has a line that is no header")
		case lower == "host":
			section.set("host", value)
		case ownHeaders[lower]:
			n.note(o, line, "-customHeaders", "header %s is written by the probe itself", name)
		case secretHeader.MatchString(name):
			secret := fmt.Sprintf("file:/etc/fairlead/secrets/%s-%s", o.as, lower)
			list = append(list, inline("name", name, "secret", secret))
			n.left(o, line, "-customHeaders", "secrets are not copied: put the value of %s into %s on every node", name, strings.TrimPrefix(secret, "file:"))
		default:
			list = append(list, inline("name", name, "value", value))
		}
	}
	if len(list) > 0 {
		section.set("headers", list)
	}
}
