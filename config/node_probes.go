package config

import "net/netip"

// NodeProbes is how far the document may reach into this machine and its network: who may write the document, which all sites share,
// is not thereby let in here. The zero value allows nothing that is denied by default, no sockets, no secrets and no scripts; a
// node file without the section has the defaults of its keys.
type NodeProbes struct {
	Allow   []netip.Prefix   `json:"allow,omitempty" doc:"Prefixes that monitors and load sources reach although they are denied by default: link-local and multicast addresses, metadata services of clouds. Never this node's API and MEP."`
	Deny    []netip.Prefix   `json:"deny,omitempty" doc:"Prefixes that they never reach; counts before allow."`
	Sockets []string         `json:"sockets,omitempty" default:"/run/haproxy,/var/run/haproxy,/var/lib/haproxy" doc:"Directories whose Unix sockets load sources may read, also in directories below."`
	Secrets NodeProbeSecrets `json:"secrets,omitempty" doc:"Where the document's secrets may be. Credentials of systemd may always be read."`
	Scripts NodeProbeScripts `json:"scripts,omitempty" doc:"What script monitors may run."`
}

// NodeProbeSecrets says where secrets may be.
type NodeProbeSecrets struct {
	Directories []string `json:"directories,omitempty" default:"/etc/fairlead/secrets" doc:"Directories whose files may be read, also in directories below."`
	Environment []string `json:"environment,omitempty" doc:"Names of environment variables that may be read."`
}

// NodeProbeScripts says what script monitors may run.
type NodeProbeScripts struct {
	Directories []string `json:"directories,omitempty" default:"/etc/fairlead/scripts" doc:"Directories whose programs may be run, also in directories below; an entry may be a single program. The document says with which arguments."`
	Environment []string `json:"environment,omitempty" doc:"Names of environment variables that a monitor may hand to its program."`
	Concurrency int      `json:"concurrency,omitempty" default:"16" range:"1..1024" doc:"Programs that run at once; further ones wait, and fail when their time is over."`
}

// directories returns every directory of the section with its path, for checks and to join relative ones.
func (n *NodeProbes) directories() []probeDirectory {
	var out []probeDirectory
	for _, list := range []struct {
		path string
		list []string
	}{{"/probes/sockets", n.Sockets}, {"/probes/secrets/directories", n.Secrets.Directories}, {"/probes/scripts/directories", n.Scripts.Directories}} {
		for i := range list.list {
			out = append(out, probeDirectory{path: list.path + at(i), directory: &list.list[i]})
		}
	}
	return out
}

type probeDirectory struct {
	path      string
	directory *string
}
