// Package icmp sends echo requests and reads what comes back (RFC 792, RFC 4443): Socket is one family's socket, for whoever reads it
// himself; Pinger waits for one answer at a time on behalf of many.
//
// A socket for datagrams is tried first: it needs no privilege where the system allows it (net.ipv4.ping_group_range). A raw one needs
// CAP_NET_RAW. Every request carries a random token of 64 bits: identifiers and sequences are too short to tell forged answers.
package icmp
