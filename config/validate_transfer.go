package config

import (
	"os"
	"slices"
	"strings"
)

// checkSecondaryKeys refuses keys beside primaries that the primary's data brings itself.
func (c *checker) checkSecondaryKeys(z *Zone, path string) {
	for _, key := range []string{"nameservers", "contact", "serial", "records", "file"} {
		if c.page.present(path + "/" + key) {
			c.problem(path+"/"+key, codeSecondaryKeys, "put it into the primary's zone or remove primaries:",
				"zone %s has primaries, which bring its %s", quote(z.Name), key)
		}
	}
}

// checkTransfer checks who a zone is transferred from and to.
func (c *checker) checkTransfer(z *Zone, path string) {
	c.limit(path+"/primaries", "primaries", len(z.Primaries), MaxTransferPeers)
	c.checkPeers(path+"/primaries", z.Primaries)
	c.limit(path+"/transfer/notify", "servers to notify", len(z.Transfer.Notify), MaxTransferPeers)
	c.checkPeers(path+"/transfer/notify", z.Transfer.Notify)
	c.limit(path+"/transfer/allow", "transfer clients", len(z.Transfer.Allow), MaxTransferPeers)
	for i, client := range z.Transfer.Allow[:min(len(z.Transfer.Allow), MaxTransferPeers)] {
		at := path + at("transfer", "allow", i)
		switch _, err := parseTransferPrefix(client.Prefix); {
		case err != nil:
			c.problem(at, codeTransferClient, "write 192.0.2.0/24 or key:NAME", "%v", err)
		case client.Prefix == "" && client.Key == "":
			c.problem(at, codeTransferClient, "write 192.0.2.0/24 or key:NAME", "the entry names neither a prefix nor a key")
		}
		c.checkKeyName(at, client.Key)
	}
}

func (c *checker) checkPeers(path string, peers []TransferPeer) {
	for i, p := range peers[:min(len(peers), MaxTransferPeers)] {
		if _, _, err := splitHostPort(p.Address, DefaultDNSPort); err != nil {
			c.problem(path+at(i, "address"), codeTransferPeer, "write 192.0.2.1, 192.0.2.1:53 or [2001:db8::1]:53", "%v", err)
		}
		c.checkKeyName(path+at(i), p.Key)
	}
}

func (c *checker) checkKeyName(path, name string) {
	if name == "" {
		return
	}
	if _, err := canonicalHost(name); err != nil {
		c.problem(path, codeTransferKey, "the name of a key in dns.tsig_keys of the node file", "%v", err)
	}
}

// transferKeys lists the keys that a document names, canonical, each with the zone that names it first.
func (d *Document) transferKeys() (names []string, zones map[string]string) {
	zones = map[string]string{}
	add := func(z *Zone, key string) {
		name, err := canonicalHost(key)
		if err != nil || zones[name] != "" {
			return
		}
		names = append(names, name)
		zones[name] = z.Name
	}
	for i := range d.Zones {
		z := &d.Zones[i]
		for _, p := range slices.Concat(z.Primaries, z.Transfer.Notify) {
			add(z, p.Key)
		}
		for _, client := range z.Transfer.Allow {
			add(z, client.Key)
		}
	}
	return names, zones
}

// checkTSIGKeys checks the names of a node's keys.
func (c *nodeChecker) checkTSIGKeys() {
	keys := c.node.DNS.TSIGKeys
	if n := len(keys); n > MaxTSIGKeys {
		c.page.problem("/dns/tsig_keys", codeTooMany, "", "%d TSIG keys; the limit is %d", n, MaxTSIGKeys)
	}
	first := map[string]bool{}
	for i, k := range keys[:min(len(keys), MaxTSIGKeys)] {
		name, err := canonicalHost(k.Name)
		switch {
		case err != nil:
			c.page.problem(at("dns", "tsig_keys", i, "name"), codeNodeTSIGKey, "the name must be the same at the other server", "%v", err)
		case first[name]:
			c.page.problem(at("dns", "tsig_keys", i, "name"), codeNodeTSIGKey, "remove one of them", "key %s stands twice", quote(k.Name))
		}
		first[name] = true
	}
}

// checkTSIGSecrets reads the secret files of a node.
func checkTSIGSecrets(p *page, n *Node) {
	for i, k := range n.DNS.TSIGKeys[:min(len(n.DNS.TSIGKeys), MaxTSIGKeys)] {
		path := at("dns", "tsig_keys", i, "secret_file")
		if k.SecretFile == "" {
			continue
		}
		if _, read := readNamed(p, path, k.SecretFile, maxSecretFile); !read {
			continue
		}
		if _, err := ReadTSIGSecret(k.SecretFile); err != nil {
			p.problem(path, codeNodeTSIGSecret, "openssl rand -base64 32 > "+k.SecretFile, "%v", err)
			continue
		}
		if info, err := os.Stat(k.SecretFile); err == nil && info.Mode().Perm()&0o007 != 0 {
			p.problem(path, codeWarnKeyMode, "chmod 600 "+k.SecretFile, "everyone on this machine may open the secret (mode %04o)", info.Mode().Perm())
		}
	}
}

// checkDocumentKeys finds keys that the document names and the node does not have.
func checkDocumentKeys(p *page, n *Node, doc *Document) {
	have := map[string]bool{}
	var known []string
	for _, k := range n.DNS.TSIGKeys {
		if name, err := canonicalHost(k.Name); err == nil {
			have[name] = true
			known = append(known, strings.TrimSuffix(name, "."))
		}
	}
	names, zones := doc.transferKeys()
	for _, name := range names {
		if !have[name] {
			p.problem("/dns/tsig_keys", codeNodeUnknownTSIGKey, didYouMean(strings.TrimSuffix(name, "."), known, "add it to dns.tsig_keys"),
				"zone %s of the GSLB document names TSIG key %s, which this node does not have", quote(zones[name]), show(name))
		}
	}
}
