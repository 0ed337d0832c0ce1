// Package dnstap tells collectors which messages a DNS server received and sent: dnstap (dnstap.info) over Frame Streams,
// to a Unix or TCP socket or into a file.
//
// The goroutines that answer queries write into a Source each. A Source gathers encoded messages and passes them to the
// Sink once per batch; one goroutine of the Sink writes them out. Nothing here makes a query wait for a collector: what
// does not fit into the Sink's queue is dropped and counted.
package dnstap
