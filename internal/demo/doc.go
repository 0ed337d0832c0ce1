// Package demo runs two sites in one process, with web servers to steer clients to and a link between the sites that can
// be cut: what an operator sees within a minute of the first command, and what a machine can check in seconds.
//
// Nothing in it stands in for the real thing: both sites are whole nodes with sockets of their own on loopback, probes and
// load reports go over HTTP, and the sites talk MEP over TLS. Only the web servers are simulated, and their load. It needs
// no privilege, no outside network, no ICMP and no file.
//
// Run is for people, SelfTest for machines. Write puts a two-site configuration for real machines into a directory.
package demo
