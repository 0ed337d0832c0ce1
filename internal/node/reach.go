package node

import (
	"net"
	"net/netip"
	"os"
	"strings"

	"go.uber.org/zap"

	"fairlead/config"
	"fairlead/monitors/guard"
	"fairlead/monitors/probe"
	"fairlead/monitors/script"
	"fairlead/monitors/secret"
	"fairlead/monitors/source"
)

// reach is what the document may reach, read and run on this machine, as the node file has it.
type reach struct {
	guard   *guard.Guard
	secrets *secret.Secrets
	scripts *script.Runner
	dial    probe.DialFunc
	connect probe.ConnectFunc // nil: by dial
}

func newReach(o *Options, log *zap.Logger) *reach {
	c := o.Config
	p := &c.Probes
	var private []string
	if c.DataDir != "" {
		private = []string{c.DataDir}
	}
	r := &reach{
		guard: guard.New(guard.Options{Allow: p.Allow, Deny: p.Deny, Own: ownSockets(c), SocketDirectories: p.Sockets, Private: private}),
		secrets: secret.New(secret.Options{Directories: p.Secrets.Directories, Environment: p.Secrets.Environment,
			CredentialsDirectory: os.Getenv("CREDENTIALS_DIRECTORY"), Logger: log}),
		scripts: script.New(script.Options{Directories: p.Scripts.Directories, Environment: p.Scripts.Environment, Concurrency: p.Scripts.Concurrency}),
	}
	r.dial, r.connect = r.guard.DialContext, r.guard.Connect
	if o.ProbeDial != nil {
		r.dial, r.connect = r.guard.Around(o.ProbeDial), nil
	}
	return r
}

// prober probes within the reach.
func (r *reach) prober() *probe.Prober {
	return probe.New(probe.Options{DialContext: r.dial, Connect: r.connect, Plain: r.connect != nil, Allowed: r.guard.Check, Secret: r.secrets.Read, Scripts: r.scripts})
}

// reader reads load sources within the reach.
func (r *reach) reader() *source.Reader {
	return source.New(source.Options{DialContext: r.dial, Secret: r.secrets.Read})
}

// bound tells the guard which addresses were bound, in place of those of the node file: a port there may be 0.
func (r *reach) bound(addresses ...net.Addr) {
	var own []netip.AddrPort
	for _, a := range addresses {
		if t, ok := a.(*net.TCPAddr); ok && t != nil {
			own = append(own, t.AddrPort())
		}
	}
	r.guard.SetOwn(own)
}

// ownSockets is where the node file has operators and other sites connect to this node. DNS is not among them: a monitor may
// ask this node what anybody may.
func ownSockets(c *config.Node) []netip.AddrPort {
	var own []netip.AddrPort
	for _, text := range []string{c.API.Listen, c.MEP.Listen} {
		if strings.HasPrefix(text, ":") {
			text = "[::]" + text
		}
		if a, err := netip.ParseAddrPort(text); err == nil {
			own = append(own, a)
		}
	}
	return own
}
