package ldns

import "fmt"

// Kind is a kind of probe.
type Kind uint8

// Kinds.
const (
	Ping  Kind = iota // ICMP echo (RFC 792, RFC 4443)
	DNS               // a query for the root's NS records over UDP, without RD: any response counts, also REFUSED
	TCP               // a handshake with port 53: SYN-ACK and RST count alike
	kinds = 3
)

// String returns the word of settings.ldns.probe_order.
func (k Kind) String() string { return [...]string{"ping", "dns", "tcp"}[k] }

// ParseKinds reads settings.ldns.probe_order; none: all kinds, ping first.
func ParseKinds(words []string) ([]Kind, error) {
	if len(words) == 0 {
		return []Kind{Ping, DNS, TCP}, nil
	}
	out := make([]Kind, 0, len(words))
	for _, word := range words {
		switch word {
		case "ping":
			out = append(out, Ping)
		case "dns":
			out = append(out, DNS)
		case "tcp":
			out = append(out, TCP)
		default:
			return nil, fmt.Errorf("read probe order: unknown probe %q: use ping, dns or tcp", word)
		}
	}
	return out, nil
}
