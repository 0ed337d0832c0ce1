package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Limits of zone transfers' settings.
const (
	// MaxTransferPeers is how many entries each of transfer.allow, transfer.notify and primaries can have.
	MaxTransferPeers = 64
	// MaxTSIGKeys is how many TSIG keys a node can have.
	MaxTSIGKeys = 1024
	// MinTSIGSecret is the shortest TSIG secret, in octets.
	MinTSIGSecret = 16
	// DefaultDNSPort is the port of another DNS server whose address names none.
	DefaultDNSPort = 53

	maxTSIGSecret = 512
	maxSecretFile = 4096
)

// ZoneTransfer says who may fetch a zone and who is told when it changes.
type ZoneTransfer struct {
	Allow  []TransferClient `json:"allow,omitempty" doc:"Who may transfer the zone: a prefix, \"key:NAME\", or {prefix: …, key: …} for both. None: nobody."`
	Notify []TransferPeer   `json:"notify,omitempty" doc:"Servers that are sent a NOTIFY when the serial rises: host, host:port, or {address: …, key: …}."`
}

// TransferClient is who may transfer a zone: a client that satisfies all keys that are set. As plain text it is a prefix,
// or "key:" and the name of a key.
type TransferClient struct {
	Prefix string `json:"prefix,omitempty" doc:"Prefix or address of the client."`
	Key    string `json:"key,omitempty" doc:"Name of the TSIG key that the request must be signed with."`
}

// TransferPeer is another DNS server, with the TSIG key that is shared with it. As plain text it is an address.
type TransferPeer struct {
	Address string `json:"address" doc:"host or host:port (default port 53)."`
	Key     string `json:"key,omitempty" doc:"Name of the TSIG key that messages are signed with, in dns.tsig_keys of the node file."`
}

// brief is a mapping that can also be written as one word.
type brief interface{ setBrief(text string) }

const keyWord = "key:"

func (c *TransferClient) setBrief(text string) {
	if name, isKey := strings.CutPrefix(text, keyWord); isKey {
		c.Key = name
		return
	}
	c.Prefix = text
}

func (p *TransferPeer) setBrief(text string) { p.Address = text }

func (b *MonitorBinding) setBrief(text string) { b.Monitor, b.Weight = text, 1 }

// Secondary reports whether the zone's records come from primaries.
func (z *Zone) Secondary() bool { return len(z.Primaries) > 0 }

// ClientPrefix returns the clients' prefix, invalid when any address will do.
func (c *TransferClient) ClientPrefix() netip.Prefix {
	p, _ := parseTransferPrefix(c.Prefix)
	return p
}

func parseTransferPrefix(text string) (netip.Prefix, error) {
	if text == "" {
		return netip.Prefix{}, nil
	}
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" && !a.Is4In6() {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil || p.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("%s is not a prefix or address", quote(text))
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("%s has bits after its length: write %s", quote(text), p.Masked())
	}
	return p, nil
}

// Endpoint returns where the server is reached, as host:port for a dialer.
func (p *TransferPeer) Endpoint() string {
	host, port, err := splitHostPort(p.Address, DefaultDNSPort)
	if err != nil {
		return p.Address
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

// ReadTSIGSecret reads a file that holds a TSIG secret in base64 and nothing else. Its errors do not quote the file.
func ReadTSIGSecret(path string) ([]byte, error) {
	text, err := readLimited(path, maxSecretFile)
	if err != nil {
		return nil, err
	}
	secret, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("%s does not hold one line of base64", path)
	}
	if len(secret) < MinTSIGSecret || len(secret) > maxTSIGSecret {
		return nil, errors.New(path + " holds a secret of " + strconv.Itoa(len(secret)) + " octets; it must have " +
			strconv.Itoa(MinTSIGSecret) + " to " + strconv.Itoa(maxTSIGSecret))
	}
	return secret, nil
}
