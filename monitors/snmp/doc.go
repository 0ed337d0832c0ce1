// Package snmp asks SNMP agents for a few values: GET requests of v2c and v3 (RFC 3416, RFC 3414) over a connection that the caller
// opened. Probes and load sources share it.
package snmp
