package config

import (
	"net/url"
	"slices"
	"strings"
)

// Limits of what a load source is asked for.
const (
	maxCustomMetrics = 16 // what one read looks for besides fields
	maxLoadQuery     = 4096
)

// loadUse says which keys a kind of load source makes use of.
type loadUse struct {
	need, may []string
	schemes   []string // of url
	fields    bool
}

// loadHTTP are keys of sources that are read over HTTP.
var loadHTTP = []string{"login", "token", "headers", "tls"}

// loadUses says which keys a kind needs, and which it can use besides interval, timeout and custom.
func loadUses(kind LoadKind) loadUse {
	web := []string{"http", "https"}
	switch kind {
	case LoadHAProxy:
		return loadUse{need: []string{"url", "backend"}, may: loadHTTP, schemes: []string{"http", "https", "unix", "tcp"}}
	case LoadNGINX:
		return loadUse{need: []string{"url"}, may: loadHTTP, schemes: web}
	case LoadNGINXVTS, LoadNGINXPlus, LoadEnvoy, LoadTraefik:
		return loadUse{need: []string{"url", "backend"}, may: loadHTTP, schemes: web}
	case LoadPrometheus, LoadOpenMetrics:
		return loadUse{need: []string{"url"}, may: loadHTTP, schemes: web, fields: true}
	case LoadJSON:
		return loadUse{need: []string{"url"}, may: append([]string{"path"}, loadHTTP...), schemes: web, fields: true}
	case LoadSNMP:
		return loadUse{need: []string{"url"}, may: []string{"backend", "snmp", "preset"}, schemes: []string{"snmp"}, fields: true}
	case LoadIPVS:
		return loadUse{need: []string{"backend"}}
	case LoadHost:
		return loadUse{may: []string{"backend", "interface"}}
	}
	return loadUse{}
}

func (c *checker) checkLoad(l *LoadSource, path string) {
	if l.Source == "" {
		return // not decoded, and reported so
	}
	use := loadUses(l.Source)
	for _, key := range []struct {
		name  string
		given bool
	}{
		{"url", l.URL != ""}, {"path", l.Path != ""}, {"backend", l.Backend != ""}, {"login", l.Login != nil}, {"token", l.Token != ""},
		{"headers", len(l.Headers) > 0}, {"tls", l.TLS != nil}, {"snmp", l.SNMP != nil}, {"preset", l.Preset != ""}, {"interface", l.Interface != ""},
	} {
		needed, usable := slices.Contains(use.need, key.name), slices.Contains(use.may, key.name)
		switch {
		case c.page.failed[path+"/"+key.name]:
		case needed && !key.given:
			c.problem(path+"/"+key.name, codeLoadSource, "add "+key.name+":", "load source %s needs %s", l.Source, key.name)
		case !needed && !usable && key.given:
			c.problem(path+"/"+key.name, codeLoadSource, "remove it", "load source %s has no %s", l.Source, key.name)
		}
	}
	if l.URL != "" && len(use.schemes) > 0 {
		c.checkLoadURL(l, path, use.schemes)
	}
	if use.schemes != nil && slices.Contains(use.schemes, "http") {
		c.checkLoadHTTP(l, path)
	}
	c.checkLoadSNMP(l, path)
	c.checkLoadKernel(l, path)
	c.checkLoadFields(l, path, use.fields)
	c.checkCustom(l, path)
	c.checkTimeout(path, l.Interval, l.Timeout)
}

// checkLoadURL checks where a source is read.
func (c *checker) checkLoadURL(l *LoadSource, path string, schemes []string) {
	at := path + "/url"
	if hasUser(l.URL) {
		// The URL is not shown: it may hold a password.
		c.problem(at, codeSecret, "write login: {user: NAME, password: file:/etc/fairlead/secrets/NAME}", "a url has no user and no password")
		return
	}
	u, err := url.Parse(l.URL)
	known := err == nil && slices.Contains(schemes, u.Scheme)
	switch {
	case !known && !slices.Contains(schemes, "http"), known && u.Scheme == "snmp" && u.Hostname() == "":
		c.problem(at, codeURL, "write "+schemes[0]+"://HOST:PORT", "%s is not a URL of load source %s", quote(l.URL), l.Source)
	case known && u.Scheme == "unix":
		if u.Host != "" || !strings.HasPrefix(u.Path, "/") || u.RawQuery != "" {
			c.problem(at, codeURL, "write unix:///run/haproxy/admin.sock", "%s does not name a socket", quote(l.URL))
		}
		return
	case known && u.Scheme == "tcp":
		if u.Hostname() == "" || u.Port() == "" || strings.Trim(u.Path, "/") != "" {
			c.problem(at, codeURL, "write tcp://HOST:PORT", "%s does not name a host and a port", quote(l.URL))
		}
	case !known || u.Scheme != "snmp":
		c.checkURL(at, l.URL)
	}
	c.checkReachedURL(at, l.URL)
}

// hasUser reports whether a user stands before the host, also in what is no URL otherwise.
func hasUser(text string) bool {
	_, authority, _ := strings.Cut(text, "://")
	if end := strings.IndexAny(authority, "/?#"); end >= 0 {
		authority = authority[:end]
	}
	return strings.Contains(authority, "@")
}

// checkLoadHTTP checks what a request is sent with.
func (c *checker) checkLoadHTTP(l *LoadSource, path string) {
	scheme, _, _ := strings.Cut(l.URL, ":")
	for _, key := range loadHTTP {
		socket := scheme == "unix" || scheme == "tcp"
		if c.page.present(path+"/"+key) && (socket || key == "tls" && scheme == "http") {
			c.problem(path+"/"+key, codeWarnNoEffect, "remove it, or write another url", "%s has no effect on a url that begins with %s:", key, scheme)
		}
	}
	if l.Login != nil {
		c.checkSecret(path+"/login/password", l.Login.Password)
		if l.Token != "" {
			c.problem(path+"/token", codeLoadSource, "remove one of them", "a request carries either a login or a token")
		}
	}
	c.checkSecret(path+"/token", l.Token)
	c.checkProbeHeaders(path+"/headers", l.Headers)
	if l.TLS != nil {
		c.checkTLSProbe(l.TLS, path+"/tls")
	}
}
