package config

import "slices"

const (
	// MaxAPISubjects is how many subjects of client certificates a node file can have.
	MaxAPISubjects = 1000
	// MaxAPIHosts is how many names an API can have.
	MaxAPIHosts = 64
)

// NodeAPI is the management listener.
type NodeAPI struct {
	Listen     string     `json:"listen,omitempty" default:"127.0.0.1:8053" doc:"Address and port of the API. Outside loopback it needs tls, and tokens_file or tls.client_ca."`
	TLS        NodeAPITLS `json:"tls,omitempty" doc:"TLS (1.2 and newer) for the API."`
	TokensFile string     `json:"tokens_file,omitempty" doc:"Hashes of the tokens, as fairlead token create writes them."`

	Subjects          []APISubject  `json:"subjects,omitempty" doc:"What client certificates may do; the first that fits counts. Needs tls.client_ca."`
	AnonymousLoopback AnonymousRole `json:"anonymous_loopback,omitempty" doc:"What who says nothing may do from this machine. Default: admin; none with tokens_file or subjects."`
	Hosts             []string      `json:"hosts,omitempty" doc:"Names that clients outside loopback ask for, besides those of the certificate."`
	RateLimit         int           `json:"rate_limit,omitempty" default:"100" range:"0..100000" doc:"Requests a second of one token or certificate, with bursts of twice as many; anonymous ones of this machine are not counted. 0: no limit."`
	Audit             NodeAPIAudit  `json:"audit,omitempty" doc:"Log of who changed what."`
}

// NodeAPITLS is the API's TLS identity.
type NodeAPITLS struct {
	Cert     string `json:"cert,omitempty" doc:"PEM certificate chain. It is read again on SIGHUP, and within a minute after it changed."`
	Key      string `json:"key,omitempty" doc:"PEM private key."`
	ClientCA string `json:"client_ca,omitempty" doc:"PEM authorities of client certificates."`
}

// APISubject gives a role to whoever shows a client certificate with a subject, or with a name.
type APISubject struct {
	Subject string  `json:"subject,omitempty" doc:"Subject as RFC 4514 writes it: CN=ops,O=Example. Either subject or san."`
	SAN     string  `json:"san,omitempty" doc:"A name of the certificate: a DNS name, a mailbox, or a URI such as spiffe://example.com/ops."`
	Role    APIRole `json:"role" doc:"What they may do."`
	Labels  Labels  `json:"labels,omitempty" doc:"They may change only objects that carry all of these."`
}

// NodeAPIAudit is the audit log.
type NodeAPIAudit struct {
	File string `json:"file,omitempty" doc:"Its file. Full ones stand beside it. Default: audit.jsonl in data_dir."`
}

type (
	// APIRole is what a token or a certificate may do.
	APIRole string
	// AnonymousRole is what may be done without either.
	AnonymousRole string
)

// Enum lists the roles.
func (APIRole) Enum() []string { return []string{"viewer", "operator", "admin"} }

// Enum lists the roles, and none.
func (AnonymousRole) Enum() []string { return []string{"none", "viewer", "operator", "admin"} }

// Secure reports whether the API speaks TLS.
func (a *NodeAPI) Secure() bool { return a.TLS.Cert != "" || a.TLS.Key != "" || a.TLS.ClientCA != "" }

// Anonymous returns what may be done from this machine without saying who one is.
func (a *NodeAPI) Anonymous() AnonymousRole {
	switch {
	case a.AnonymousLoopback != "":
		return a.AnonymousLoopback
	case a.TokensFile != "" || len(a.Subjects) > 0:
		return "none"
	}
	return "admin"
}

// checkAPI checks the management listener: who reaches it from elsewhere says who they are, and is not overheard.
func (c *nodeChecker) checkAPI() {
	api := &c.node.API
	address, ok := c.listen("/api/listen", api.Listen)
	open := ok && !address.Addr().Unmap().IsLoopback()
	if open && !api.Secure() {
		c.page.problem("/api/listen", codeNodeAPIOpen, "add tls: {cert: …, key: …}, or write 127.0.0.1:8053 and reach it through a tunnel",
			"an API outside loopback (%s) needs TLS", quote(api.Listen))
	}
	if open && api.TokensFile == "" && len(api.Subjects) == 0 {
		c.page.problem("/api/listen", codeNodeAPIOpen, "add tokens_file: …, or tls.client_ca with subjects",
			"an API outside loopback (%s) must know who asks", quote(api.Listen))
	}
	if api.Secure() && (api.TLS.Cert == "" || api.TLS.Key == "") {
		c.page.problem("/api/tls", codeNodeAPITLS, "add both cert: and key:", "TLS for the API lacks its certificate or its key")
	}
	if api.Secure() && api.TLS.ClientCA != "" && len(api.Subjects) == 0 {
		c.page.problem("/api/tls/client_ca", codeNodeAPISubject, "add subjects: [{subject: \"CN=ops\", role: operator}]", "client certificates are asked for, but none may do anything")
	}
	c.checkSubjects()
	if len(api.Hosts) > MaxAPIHosts {
		c.page.problem("/api/hosts", codeTooMany, "", "%d names; the limit is %d", len(api.Hosts), MaxAPIHosts)
	}
	for i, host := range api.Hosts {
		if _, err := canonicalHost(host); err != nil {
			c.page.problem(at("api", "hosts", i), codeNodeAPIHost, "a host name without a port; addresses stand in the certificate", "%v", err)
		}
	}
}

func (c *nodeChecker) checkSubjects() {
	api := &c.node.API
	if len(api.Subjects) > MaxAPISubjects {
		c.page.problem("/api/subjects", codeTooMany, "", "%d subjects; the limit is %d", len(api.Subjects), MaxAPISubjects)
		return
	}
	if len(api.Subjects) > 0 && api.TLS.ClientCA == "" {
		c.page.problem("/api/subjects", codeNodeAPISubject, "add tls.client_ca: the authorities that issue client certificates", "subjects without tls.client_ca: no certificate is asked for")
	}
	for i := range api.Subjects {
		s := &api.Subjects[i]
		path := at("api", "subjects", i)
		if (s.Subject == "") == (s.SAN == "") {
			c.page.problem(path, codeNodeAPISubject, "keep one of them", "a subject needs exactly one of subject and san")
		}
		same := func(o APISubject) bool { return o.Subject == s.Subject && o.SAN == s.SAN }
		if first := slices.IndexFunc(api.Subjects, same); first < i {
			c.page.problem(path, codeNodeAPISubject, "remove one of them", "%s stands twice", quote(s.Subject+s.SAN))
		}
		if err := CheckLabels(s.Labels); err != nil {
			c.page.problem(path+"/labels", codeLabel, "a key is a name such as team, a value one short line of text", "%v", err)
		}
	}
}
