package doctor

import (
	"context"
	"fmt"
	"time"

	"fairlead/config"
	"fairlead/monitors/icmp"
)

const (
	// wantedBuffer is what the DNS server asks for each socket, in octets.
	wantedBuffer = 4 << 20
	// otherFiles is how many files a node has open besides connections and probes, at most.
	otherFiles = 512
	// clockWarned and clockRefused are differences between clocks: the first is odd, and at the second what a site writes is refused by others.
	clockWarned  = time.Second
	clockRefused = 5 * time.Minute
)

// receiveBuffer checks how many queries can wait in the kernel.
func (p *patient) receiveBuffer(_ context.Context, f *findings) {
	got := grantedBuffer(wantedBuffer)
	switch {
	case got == 0:
		f.skip("", "what this system grants is not known")
	case got < wantedBuffer:
		f.add(Warning, "", fmt.Sprintf("the kernel grants this user %d KiB of the %d KiB that are asked for", got>>10, wantedBuffer>>10), "a burst of queries is dropped sooner",
			fmt.Sprintf("sysctl -w net.core.rmem_max=%d, or run Fairlead with CAP_NET_ADMIN", wantedBuffer))
	default:
		f.ok("", "%d KiB are granted", got>>10)
	}
}

// openFiles compares the limit of open files with what monitors and connections may need.
func (p *patient) openFiles(_ context.Context, f *findings) {
	limit := descriptors()
	if limit == 0 {
		f.skip("", "the limit is not known")
		return
	}
	probes := targets(p.doc)
	connections := 0
	if p.node != nil {
		connections = p.node.DNS.TCP.MaxConnections
	}
	do := fmt.Sprintf("raise it to %d: LimitNOFILE= in the unit, or ulimit -n", max(65536, 4*(probes+otherFiles), (connections+2)/3*4))
	switch {
	case uint64(probes+otherFiles) > limit:
		f.add(Failed, "", fmt.Sprintf("this user's processes may open %d files, and up to %d probes run at a time", limit, probes), "probes fail, and services are taken for DOWN", do)
	case connections > 0 && uint64(connections) > limit-limit/4:
		f.add(Warning, "", fmt.Sprintf("this user's processes may open %d files, and dns.tcp.max_connections is %d", limit, connections), "fewer connections over TCP, TLS and HTTPS are taken", do)
	default:
		f.ok("", "%d, for %s of monitors and %d connections", limit, countOf(probes, "target"), connections)
	}
}

// targets is how many probes a document asks for at most, of members that are known.
func targets(d *config.Document) int {
	if d == nil {
		return 0
	}
	n := 0
	for i := range d.Services {
		n += len(d.Services[i].Monitors) * max(1, len(d.Services[i].Addresses))
	}
	return n
}

// ping checks that monitors of type ping can work, if there are any.
func (p *patient) ping(_ context.Context, f *findings) {
	name := ""
	if p.doc != nil {
		for i := range p.doc.Monitors {
			if p.doc.Monitors[i].Type == config.MonitorPing {
				name = p.doc.Monitors[i].Name
			}
		}
	}
	s, err := icmp.Open(false)
	if err == nil {
		_ = s.Close()
		f.ok("", "this user can send echo requests")
		return
	}
	const do = "sysctl -w net.ipv4.ping_group_range=\"0 2147483647\", or run Fairlead with CAP_NET_RAW"
	if name != "" {
		f.add(Failed, "monitor/"+name, errText(err), "what it probes is taken for DOWN or UNKNOWN", do)
		return
	}
	f.add(Warning, "", errText(err), "resolvers are not measured with pings, and monitors of type ping would not work", do)
}

// clock checks that something keeps the clock right, and compares it with those of other sites.
func (p *patient) clock(ctx context.Context, f *findings) {
	synchronised, known := clockState()
	switch {
	case p.node == nil:
		f.skip("", "the node may be on another machine; only clocks of sites are compared")
	case known && !synchronised:
		f.add(Warning, "", "nothing keeps this machine's clock right, says the kernel", fmt.Sprintf("documents that are written more than %v in the future are refused by other sites", clockRefused),
			"run chrony or another NTP client; in a container or a virtual machine, that of the host counts")
	case known:
		f.ok("", "it is kept right, says the kernel")
	default:
		f.skip("", "whether something keeps it right is not known here")
	}
	if p.live == nil {
		return
	}
	peers, err := p.live.api.ListPeers(ctx)
	if err != nil {
		return // peers has said so
	}
	for _, peer := range peers.Peers {
		if peer.ClockSkewSeconds == nil {
			continue
		}
		skew := time.Duration(*peer.ClockSkewSeconds * float64(time.Second))
		seen := fmt.Sprintf("its clock is %v ahead of this node's", skew.Round(time.Millisecond))
		if skew < 0 {
			seen = fmt.Sprintf("its clock is %v behind this node's", -skew.Round(time.Millisecond))
		}
		switch {
		case skew.Abs() >= clockRefused:
			f.add(Failed, "site/"+peer.Site, seen, "what the site that is ahead writes is refused by the other", "set both clocks by NTP")
		case skew.Abs() >= clockWarned:
			f.add(Warning, "site/"+peer.Site, seen, "of two writes at the same time, the wrong one may count as the newer", "set both clocks by NTP")
		default:
			f.ok("site/"+peer.Site, "%s", seen)
		}
	}
}
