// Package transfer moves whole zones between servers: out to secondaries (AXFR of RFC 5936, IXFR of RFC 1995), in from
// primaries, and the NOTIFY of RFC 1996 both ways. It also holds the transaction signatures (TSIG, RFC 8945), which every
// transport verifies by the same function, Keys.Verify.
//
// It owns no DNS listener and does not know how answers are found: the server hands it requests, the zones come through
// the interfaces Source and Zone, and what a primary sent goes out through a function.
package transfer
