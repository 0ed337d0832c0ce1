package transfer

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"

	"fairlead/config"

	"github.com/miekg/dns"
)

// maxNameOctets is the longest domain name on the wire (RFC 1035 section 2.3.4).
const maxNameOctets = 255

// Key is a secret shared with another server. It is immutable.
type Key struct {
	name      string // lower case, fully qualified
	algorithm string // likewise
	nameWire  []byte // uncompressed, as it is signed
	algoWire  []byte
	secret    []byte
	hash      func() hash.Hash
	macOctets int
}

// Name returns the key's name in lower case, fully qualified.
func (k *Key) Name() string { return k.name }

// Keys is the set of keys this node has. It is immutable and safe for concurrent use; nil is the empty set.
type Keys struct{ byName map[string]*Key }

// Secret is a key in plain form.
type Secret struct {
	Name      string
	Algorithm config.TSIGAlgorithm
	Secret    []byte
}

// LoadKeys reads the keys of a node file with their secret files.
func LoadKeys(list []config.NodeTSIGKey) (*Keys, error) {
	secrets := make([]Secret, 0, len(list))
	for i := range list {
		secret, err := config.ReadTSIGSecret(list[i].SecretFile)
		if err != nil {
			return nil, fmt.Errorf("read secret of TSIG key %q: %w", list[i].Name, err)
		}
		secrets = append(secrets, Secret{list[i].Name, list[i].Algorithm, secret})
	}
	return NewKeys(secrets)
}

// NewKeys makes a set of keys. Two keys cannot have the same name: a name says which secret is meant (RFC 8945 section 2).
func NewKeys(secrets []Secret) (*Keys, error) {
	keys := &Keys{byName: make(map[string]*Key, len(secrets))}
	for _, s := range secrets {
		k, err := newKey(s)
		if err != nil {
			return nil, err
		}
		if keys.byName[k.name] != nil {
			return nil, fmt.Errorf("make TSIG key %q: there is another one of this name", s.Name)
		}
		keys.byName[k.name] = k
	}
	return keys, nil
}

func newKey(s Secret) (*Key, error) {
	k := &Key{name: keyName(s.Name), algorithm: dns.Fqdn(string(s.Algorithm)), secret: s.Secret}
	switch s.Algorithm {
	case config.HMACSHA224:
		k.hash, k.macOctets = sha256.New224, sha256.Size224
	case config.HMACSHA256:
		k.hash, k.macOctets = sha256.New, sha256.Size
	case config.HMACSHA384:
		k.hash, k.macOctets = sha512.New384, sha512.Size384
	case config.HMACSHA512:
		k.hash, k.macOctets = sha512.New, sha512.Size
	default:
		return nil, fmt.Errorf("make TSIG key %q: algorithm %q is not offered; use hmac-sha256 or stronger", s.Name, s.Algorithm)
	}
	if len(s.Secret) < config.MinTSIGSecret {
		return nil, fmt.Errorf("make TSIG key %q: the secret has %d octets; at least %d", s.Name, len(s.Secret), config.MinTSIGSecret)
	}
	var err error
	if k.nameWire, err = wireName(k.name); err != nil {
		return nil, fmt.Errorf("make TSIG key %q: %w", s.Name, err)
	}
	if k.algoWire, err = wireName(k.algorithm); err != nil {
		return nil, fmt.Errorf("make TSIG key %q: %w", s.Name, err)
	}
	return k, nil
}

// Find returns the key of a name in any case, or nil.
func (k *Keys) Find(name string) *Key {
	if k == nil {
		return nil
	}
	return k.byName[keyName(name)]
}

// keyName is the form in which names of keys are compared.
func keyName(name string) string { return dns.CanonicalName(name) }

// wireName packs a name without compression.
func wireName(name string) ([]byte, error) {
	b := make([]byte, maxNameOctets+1)
	n, err := dns.PackDomainName(name, b, 0, nil, false)
	if err != nil || n > maxNameOctets {
		return nil, fmt.Errorf("%q is not a domain name", name)
	}
	return b[:n:n], nil
}

// mac starts the MAC of the key.
func (k *Key) mac() hash.Hash { return hmac.New(k.hash, k.secret) }
