package config

import (
	"net/netip"
	"net/url"
	"strings"
)

const (
	// MaxEtcdEndpoints is how many members of etcd a node file can name.
	MaxEtcdEndpoints = 32
	// MaxEtcdPrefix bounds the prefix of keys in etcd, in bytes.
	MaxEtcdPrefix = 256
	// minEtcdAccept is how many first digits of a revision are enough.
	minEtcdAccept = 8
)

// NodeStore says where the document is kept, when not in data_dir alone.
type NodeStore struct {
	Etcd *NodeEtcd `json:"etcd,omitempty" doc:"The document is in etcd, for many nodes that have one in common. It is not exchanged between sites then."`
}

// NodeEtcd says how etcd is reached.
type NodeEtcd struct {
	Endpoints    []string `json:"endpoints" doc:"URLs of its members, all http or all https: https://etcd1.example.com:2379."`
	Prefix       string   `json:"prefix,omitempty" default:"/fairlead" doc:"Prefix of all keys."`
	TLS          NodeTLS  `json:"tls,omitempty" doc:"Certificate and key to show, and the authorities that issue etcd's. Read at each connection."`
	User         string   `json:"user,omitempty" doc:"User of etcd; needs password_file."`
	PasswordFile string   `json:"password_file,omitempty" doc:"File whose first line is the user's password. Read at each connection."`
	Timeout      Duration `json:"timeout,omitempty" default:"5s" range:"100ms..1m" doc:"Time for one request."`
	Accept       string   `json:"accept,omitempty" doc:"At least 8 first digits of a revision in etcd that counts although it is older than, or does not follow, what this node has: after a backup of etcd was restored. empty: this node's document is put into an etcd that has lost it. Else such an etcd is refused."`
}

func (c *nodeChecker) checkStore() {
	e := c.node.Config.Store.Etcd
	if e == nil {
		return
	}
	if c.node.Config.Follow != "" {
		c.page.problem("/config/store/etcd", codeNodeSource, "keep one; fairlead apply writes a file into etcd", "follow and store.etcd exclude each other")
	}
	c.checkEtcdEndpoints(e)
	if !strings.HasPrefix(e.Prefix, "/") || strings.HasSuffix(e.Prefix, "/") || len(e.Prefix) > MaxEtcdPrefix || strings.ContainsFunc(e.Prefix, func(r rune) bool { return r <= ' ' || r > '~' }) {
		c.page.problem("/config/store/etcd/prefix", codeNodeEtcd, "write prefix: /fairlead", "the prefix %s does not begin with a slash, or ends with one, or is not made of at most %d visible ASCII characters", quote(e.Prefix), MaxEtcdPrefix)
	}
	if (e.TLS.Cert == "") != (e.TLS.Key == "") {
		c.page.problem("/config/store/etcd/tls", codeNodeEtcd, "name both, or none", "of cert and key there is only one")
	}
	if (e.User == "") != (e.PasswordFile == "") {
		c.page.problem("/config/store/etcd/user", codeNodeEtcd, "name both, or none", "of user and password_file there is only one")
	}
	if e.Accept != "" && e.Accept != "empty" && (len(e.Accept) < minEtcdAccept || strings.Trim(e.Accept, "0123456789abcdef") != "") {
		c.page.problem("/config/store/etcd/accept", codeNodeEtcd, "copy it from what fairlead sync status says", "accept is neither empty nor at least %d hexadecimal digits of a revision", minEtcdAccept)
	}
}

func (c *nodeChecker) checkEtcdEndpoints(e *NodeEtcd) {
	const path = "/config/store/etcd/endpoints"
	if len(e.Endpoints) == 0 || len(e.Endpoints) > MaxEtcdEndpoints {
		c.page.problem(path, codeNodeEtcd, `write endpoints: ["https://etcd1.example.com:2379"]`, "there are %d endpoints; 1 to %d are allowed", len(e.Endpoints), MaxEtcdEndpoints)
	}
	secure, plain := 0, 0
	for i, text := range e.Endpoints {
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || strings.TrimSuffix(u.Path, "/") != "" || u.User != nil || u.RawQuery != "" {
			hint, shown := "write https://HOST:2379", c.page.report.hideUser(text)
			if shown != text {
				hint += ", and name user: and password_file: beside the endpoints"
			}
			c.page.problem(at("config", "store", "etcd", "endpoints", i), codeNodeEtcd, hint, "%s is not the URL of a member of etcd", quote(shown))
			continue
		}
		if u.Scheme == "https" {
			secure++
			continue
		}
		plain++
		if a, err := netip.ParseAddr(u.Hostname()); e.User != "" && u.Hostname() != "localhost" && (err != nil || !a.IsLoopback()) {
			c.page.problem(at("config", "store", "etcd", "endpoints", i), codeNodeEtcd, "use https", "the password would be sent to %s in the clear", u.Host)
		}
	}
	if secure > 0 && plain > 0 {
		c.page.problem(path, codeNodeEtcd, "use https for all", "some endpoints are http and some https")
	}
	if plain > 0 && e.TLS != (NodeTLS{}) {
		c.page.problem("/config/store/etcd/tls", codeNodeEtcd, "use https in the endpoints", "tls is not used with endpoints that are http")
	}
}

// checkEtcdFiles checks the files with which etcd is reached.
func checkEtcdFiles(p *page, n *Node) {
	e := n.Config.Store.Etcd
	if e == nil {
		return
	}
	readNamed(p, "/config/store/etcd/tls/cert", e.TLS.Cert, maxPEMBytes)
	if _, ok := readNamed(p, "/config/store/etcd/tls/key", e.TLS.Key, maxPEMBytes); ok {
		checkSecretMode(p, "/config/store/etcd/tls/key", e.TLS.Key, "the private key")
	}
	readNamed(p, "/config/store/etcd/tls/ca", e.TLS.CA, maxPEMBytes)
	if _, ok := readNamed(p, "/config/store/etcd/password_file", e.PasswordFile, maxPEMBytes); ok {
		checkSecretMode(p, "/config/store/etcd/password_file", e.PasswordFile, "the password")
	}
}
