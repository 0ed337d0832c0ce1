package gslb

// RTTSource is how a round-trip time was measured. It is shown to people and decides nothing.
type RTTSource uint8

// Sources. The numbers are part of the protocol between sites: append only, at most 15.
const (
	RTTUnknown RTTSource = iota // kept across a restart, or told by a release that does not say
	RTTPing                     // ICMP echo
	RTTDNS                      // a DNS query over UDP
	RTTTCP                      // a TCP handshake
	RTTPassive                  // a connection of its own to this server, which told the kernel
	RTTPushed                   // reported by somebody else's probe
)

// String returns the word that people read; empty for what is not known.
func (s RTTSource) String() string {
	words := [...]string{"", "ping", "dns", "tcp", "passive", "pushed"}
	if int(s) >= len(words) {
		return ""
	}
	return words[s]
}
