// Package querylog writes a random sample of the queries that a DNS server answers, as lines of JSON into a file, or as
// events into the program's log.
//
// The goroutines that answer count down in a Source each; a query whose turn it is becomes an Entry, which one goroutine
// of the Log writes. What comes faster than the limit, or than the writer, is dropped and counted.
package querylog
