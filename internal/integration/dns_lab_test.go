//go:build integration

package integration

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"fairlead/api/resource"
)

// Addresses of the tree. A client is near Amsterdam in 203.0.113.0/25 and near New York above it; so are resolvers, to
// whom it matters when they do not tell the client's network.
const (
	amsDNS = "192.0.2.53"
	nycDNS = "198.51.100.53"

	neighbour = "203.0.113.20" // in the same network as german
	unlimited = "203.0.113.77" // the client without a rate limit

	zoneName = "gslb.example.com"
)

// tree is where its name servers, sites and users are.
var tree = []place{
	{wan, []string{"203.0.113.10/24", "203.0.113.20/24", "203.0.113.77/24", "203.0.113.200/24", "2001:db8:c::10/64"}},
	{"isp", []string{"203.0.113.53/24", "203.0.113.54/24", "203.0.113.153/24", "2001:db8:c::53/64", "2001:db8:c::153/64"}},
	{"root", []string{"203.0.113.4/24", "203.0.113.5/24", "2001:db8:c::4/64", "2001:db8:c::5/64"}},
	{"ams", []string{"192.0.2.10/24", "192.0.2.53/24", "2001:db8:a::53/64"}},
	{"nyc", []string{"198.51.100.10/24", "198.51.100.53/24", "2001:db8:b::53/64"}},
	{"alone", nil},
}

// TestDNS runs two nodes with a zone that is delegated to them from a root of its own: NSD serves the root, com and net,
// and Knot example.com. Everyday clients, checkers of zones and resolvers look at it.
func TestDNS(t *testing.T) {
	l := newLab(t, filepath.Join("testdata", "tree"), tree, "nsd", "knotd", "dig", "curl")
	l.identify()
	l.start("root", "", "nsd", "-d", "-c", "nsd.conf")
	l.start("root", "", "knotd", "-c", "knot.conf")
	site := map[string]*process{}
	for _, name := range []string{"ams", "nyc"} {
		site[name] = l.start(name, "", l.binary, "serve", "-f", "node-"+name+".yaml")
	}
	for _, name := range []string{"ams", "nyc"} {
		eventually(t, 15*time.Second, name+" hears the other site", func() error { return l.peer(name, resource.PeerUp) })
		eventually(t, 15*time.Second, name+" sees all services up", func() error { return l.services(name, "UP", "web-ams", "web-nyc") })
	}
	for _, server := range []string{amsDNS, nycDNS} { // or else nothing below is worth its time
		l.in(wan, "dig", "@"+server, "text."+zoneName, "+tries=1", "+time=3")
	}
	t.Run("clients", func(t *testing.T) { l.with(t).clients() })
	t.Run("load", func(t *testing.T) { l.with(t).load() })
	t.Run("checkers", func(t *testing.T) { l.with(t).checkers() })
	t.Run("alone", func(t *testing.T) { l.with(t).alone() })
	t.Run("resolvers", func(t *testing.T) { l.with(t).resolvers(site["nyc"]) })
}

// with is the lab for a test within its test.
func (l *lab) with(t *testing.T) *lab {
	other := *l
	other.t = t
	return &other
}

// identify makes the secrets: certificates for the exchange and for DNS, and the key of transfers.
func (l *lab) identify() {
	l.t.Helper()
	for _, args := range [][]string{{"init"}, {"issue", "ams"}, {"issue", "nyc"}} {
		l.run(l.binary, append([]string{"pki"}, args...)...)
	}
	l.write("fetch.secret", []byte(fetchSecret+"\n"))
	ca, caKey := certificate(l.t, &x509.Certificate{Subject: pkix.Name{CommonName: "lab"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil, nil)
	leaf, leafKey := certificate(l.t, &x509.Certificate{
		Subject:     pkix.Name{CommonName: "ns1." + zoneName}, // kdig wants one
		DNSNames:    []string{"ns1." + zoneName, "ns2." + zoneName},
		IPAddresses: []net.IP{net.ParseIP(amsDNS), net.ParseIP(nycDNS)},
		KeyUsage:    x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, ca, caKey)
	key, err := x509.MarshalPKCS8PrivateKey(leafKey)
	if err != nil {
		l.t.Fatal(err)
	}
	l.write("dns-ca.crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw}))
	l.write("dns.crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw}))
	l.write("dns.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	l.t.Logf("fairlead check\n%s", l.run(l.binary, "check", "node-ams.yaml", "node-nyc.yaml", "node-alone.yaml"))
}

// certificate signs a template; without a parent, by its own key.
func certificate(t *testing.T, template, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if parent == nil {
		parent, parentKey = template, key
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().AddDate(0, 2, 0)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c, key
}

func (l *lab) write(name string, text []byte) {
	l.t.Helper()
	if err := os.WriteFile(filepath.Join(l.dir, name), text, 0o600); err != nil {
		l.t.Fatal(err)
	}
}

// metric returns one number of a site's metrics; what is not there is 0.
func (l *lab) metric(site, series string) float64 {
	l.t.Helper()
	for line := range strings.Lines(l.in(site, "curl", "-sS", "http://127.0.0.1:8053/metrics")) {
		if name, value, _ := strings.Cut(strings.TrimSpace(line), " "); name == series {
			number, err := strconv.ParseFloat(value, 64)
			if err != nil {
				l.t.Fatalf("metric %s of %s: %v", series, site, err)
			}
			return number
		}
	}
	return 0
}

// logged is an entry of a node's query log.
type logged struct {
	Client    string `json:"client"`
	Transport string `json:"transport"`
	Name      string `json:"name"`
	Type      string `json:"type"`
	Scope     *int   `json:"scope"` // nil: the answer carries no EDNS Client Subnet
}

// queries returns what both nodes were asked until now. Both are asked something else, and have logged what came before
// when they have logged that.
func (l *lab) queries() []logged {
	l.t.Helper()
	marker := fmt.Sprintf("mark-%d.wild.%s", time.Now().UnixNano(), zoneName)
	for _, server := range []string{amsDNS, nycDNS} {
		l.in(wan, "dig", "-b", neighbour, "@"+server, marker, "+short", "+nocookie", "+tries=1", "+time=2")
	}
	var all []logged
	for _, site := range []string{"ams", "nyc"} {
		eventually(l.t, 5*time.Second, site+" has logged the queries", func() error {
			found, err := l.readQueries(site)
			if err != nil {
				return err
			}
			for i, q := range found {
				if q.Name == marker+"." {
					all = append(all, found[:i]...)
					return nil
				}
			}
			return fmt.Errorf("%d queries, not yet the last one", len(found))
		})
	}
	return all
}

func (l *lab) readQueries(site string) ([]logged, error) {
	text, err := os.ReadFile(filepath.Join(l.dir, "queries-"+site+".log"))
	if err != nil {
		return nil, err
	}
	var all []logged
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		var q logged
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			return nil, fmt.Errorf("%w in %q", err, lines.Text())
		}
		q.Name = strings.ToLower(q.Name) // resolvers mix cases
		all = append(all, q)
	}
	return all, nil
}
