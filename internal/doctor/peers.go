package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"fairlead/api/resource"
	"fairlead/config"
	"fairlead/mep"
)

const (
	// maxPeers is how many other sites are connected to.
	maxPeers = 32
	// peersAtOnce is how many of them at a time.
	peersAtOnce = 8
	// greetTime is how long connecting to one of them may take.
	greetTime = 3 * time.Second
	// refusalWait is how long the other end has at least to refuse this site's certificate, which with TLS 1.3 it does after the handshake; on long ways
	// as long as connecting took, which is two round trips.
	refusalWait = 300 * time.Millisecond
	// peerLost is what follows when another site is not heard.
	peerLost = "its services keep their last state, and then are UNKNOWN here"
)

// peers checks the way to each other site: by what the node says of its sessions, else by a connection.
func (p *patient) peers(ctx context.Context, f *findings) {
	known := map[string]*resource.Peer{}
	if p.live != nil {
		list, err := p.live.api.ListPeers(ctx)
		if err != nil {
			f.unknown(err)
		} else {
			for i := range list.Peers {
				known[list.Peers[i].Site] = &list.Peers[i]
			}
		}
	}
	var dial []config.Site
	for _, s := range p.otherSites() {
		peer := known[s.Name]
		if peer != nil && peer.State == "up" {
			f.session(p, peer)
			continue
		}
		if peer != nil && p.node == nil {
			f.add(Failed, "site/"+s.Name, fmt.Sprintf("there is no session with it (%s) %s", peer.State, peer.LastError), peerLost, "is a node running there? With --config this command tries to connect")
			continue
		}
		dial = append(dial, s)
	}
	p.connect(ctx, f, dial, known)
	if len(f.list) == 0 {
		f.skip("", "the document has no other sites that this one connects to")
	}
}

// otherSites are those of the document that this one has sessions with: its parents and children, and in the mesh all others there.
func (p *patient) otherSites() []config.Site {
	if p.doc == nil {
		return nil
	}
	self := p.doc.Site(p.site())
	if self == nil {
		return nil
	}
	var list []config.Site
	for _, s := range p.doc.Sites {
		if _, talks := mep.PeerOf(self, &s); talks && s.Endpoint() != "" {
			list = append(list, s)
		}
	}
	return list
}

// session tells of a site with which there is a session.
func (f *findings) session(p *patient, peer *resource.Peer) {
	round := ""
	if peer.RTTSeconds != nil {
		round = fmt.Sprintf(", round trip %v", time.Duration(*peer.RTTSeconds*float64(time.Second)).Round(10*time.Microsecond))
	}
	ours, theirs := release(p.o.Version), ""
	if peer.Document != nil {
		theirs = release(peer.Document.Version)
	}
	if far, known := apart(ours, theirs); known && far > 1 {
		f.add(Warning, "site/"+peer.Site, fmt.Sprintf("it runs release %s, this one %s", theirs, ours), "only neighbouring releases are tested together", "update site by site, one release at a time")
		return
	}
	f.ok("site/"+peer.Site, "there is a session%s", round)
}

// release is the first word of a version.
func release(version string) string {
	word, _, _ := strings.Cut(version, " ")
	return word
}

// apart is how many minor releases lie between two; unknown unless both are vMAJOR.MINOR….
func apart(a, b string) (int, bool) {
	x, ok := minor(a)
	y, ok2 := minor(b)
	if !ok || !ok2 {
		return 0, false
	}
	return max(x-y, y-x), true
}

func minor(v string) (int, bool) {
	parts := strings.SplitN(strings.TrimPrefix(v, "v"), ".", 3)
	if len(parts) < 3 || !strings.HasPrefix(v, "v") || strings.HasPrefix(v, "v0.0.0-") {
		return 0, false
	}
	major, err := strconv.Atoi(parts[0])
	n, err2 := strconv.Atoi(parts[1])
	return major*1000 + n, err == nil && err2 == nil
}

// connect opens one connection to each site, and closes it after the handshake.
func (p *patient) connect(ctx context.Context, f *findings, sites []config.Site, known map[string]*resource.Peer) {
	if len(sites) == 0 {
		return
	}
	if p.node == nil {
		f.skip("", "without the node file there is no certificate to connect to other sites with")
		return
	}
	if len(sites) > maxPeers {
		f.skip("", "%d of %d sites are connected to", maxPeers, len(sites))
		sites = sites[:maxPeers]
	}
	errs := make([]error, len(sites))
	slots := make(chan struct{}, peersAtOnce)
	var all sync.WaitGroup
	for n := range sites {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			errs[n] = p.greet(ctx, sites[n])
		})
	}
	all.Wait()
	for n, s := range sites {
		if errs[n] != nil && ctx.Err() != nil {
			f.timeUp("site/" + s.Name)
			continue
		}
		if peer := known[s.Name]; errs[n] == nil && peer != nil {
			f.add(Failed, "site/"+s.Name, fmt.Sprintf("it takes connections, but the node has no session with it (%s) %s", peer.State, peer.LastError), peerLost, "wait a moment; then look at the logs of both for mep.")
			continue
		}
		if errs[n] == nil {
			f.ok("site/"+s.Name, "%s takes connections%s", s.Endpoint(), map[bool]string{true: "", false: ", is this site, and trusts this node"}[p.node.MEP.Insecure])
			continue
		}
		level, why := Failed, peerLost
		if p.theyDial(s) {
			level, why = Warning, "it opens the connections with this site, so it has to reach this one and not the reverse; but something is wrong"
		}
		f.add(level, "site/"+s.Name, errText(errs[n]), why, peerHint(errs[n], s))
	}
}

// theyDial reports whether the other site alone opens the connections with this one.
func (p *patient) theyDial(s config.Site) bool {
	self := p.doc.Site(p.site())
	if self == nil || self.Endpoint() == "" {
		return false
	}
	own, _ := mep.PeerOf(self, self)
	theirs, _ := mep.PeerOf(self, &s)
	ours, err := mep.Opens(own, theirs)
	return err == nil && !ours
}

// wrongSite says that a connection led to another site.
type wrongSite struct{ got string }

func (e *wrongSite) Error() string { return fmt.Sprintf("the certificate there is of site %q", e.got) }

func peerHint(err error, s config.Site) string {
	var wrong *wrongSite
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &wrong):
		return "correct the address of the site in the document, or issue the right certificate there"
	case errors.As(err, &unknown):
		return "issue all certificates with one authority, and name it in mep.tls.ca at every site"
	case strings.Contains(err.Error(), "refuses"):
		return "at that site: is this node's authority in mep.tls.ca, and the clock right?"
	}
	return "is a node running there, with mep.listen? Is " + s.Endpoint() + " right, and let through by firewalls?"
}

// greet connects to a site within greetTime, proves both ends, and leaves.
func (p *patient) greet(ctx context.Context, s config.Site) error {
	ctx, cancel := context.WithTimeout(ctx, greetTime)
	defer cancel()
	began := time.Now()
	conn, err := p.o.Dial(ctx, "tcp", s.Endpoint())
	if err != nil {
		return err
	}
	defer conn.Close()
	if p.node.MEP.Insecure {
		return nil
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	settings, err := greeting(p.node.MEP.TLS, s.Name, p.o.Now())
	if err != nil {
		return err
	}
	t := tls.Client(conn, settings)
	if err := t.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("TLS with %s: %w", s.Endpoint(), err)
	}
	if err := t.SetReadDeadline(time.Now().Add(max(refusalWait, time.Since(began)))); err != nil {
		return err
	}
	var b [1]byte
	if _, err := t.Read(b[:]); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		if alert := new(net.OpError); errors.As(err, &alert) && alert.Op == "remote error" {
			return fmt.Errorf("the site refuses this node's certificate: %w", err)
		}
	}
	return nil
}

// greeting is TLS as MEP speaks it, with a site that is expected (docs/mep-protocol.md).
func greeting(c config.NodeTLS, site string, now time.Time) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
	if err != nil {
		return nil, err
	}
	text, err := readBounded(c.CA)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}, NextProtos: []string{mep.ALPN},
		// The certificate is verified by VerifyConnection: it names a site, not a host.
		InsecureSkipVerify: true,
		VerifyConnection: func(cs tls.ConnectionState) error {
			if len(cs.PeerCertificates) == 0 {
				return errors.New("the other end shows no certificate")
			}
			o := x509.VerifyOptions{Roots: roots, CurrentTime: now, Intermediates: x509.NewCertPool()}
			for _, c := range cs.PeerCertificates[1:] {
				o.Intermediates.AddCert(c)
			}
			if _, err := cs.PeerCertificates[0].Verify(o); err != nil {
				return err
			}
			got, err := mep.CertificateSite(cs.PeerCertificates[0])
			if err != nil {
				return err
			}
			if got != site {
				return &wrongSite{got}
			}
			return nil
		},
	}, nil
}
