// Package adns answers DNS queries with authority: packets in, answers out.
//
// Every transport hands its messages to a responder, one goroutine's state for answering:
//
//	bytes -> hot path: read in place -> look up -> gslb.Decider -> write in place -> bytes
//	bytes -> judgeHeader -> query.parse -> judgeMessage -> Snapshot.Resolve -> encode (miekg/dns) -> bytes
//
// The hot path takes common queries and leaves all others, unchanged, to the slow path. Both apply the same policy, and
// tests compare their answers. No transport has a way around the judges. Snapshot.Resolve is pure but for what it learns,
// so explain asks the very function that serves.
//
// A Snapshot is immutable and loaded once per query. Zones is the compiled form of the document's zones; balanced names
// are names of their zones like any other: the rules for wildcards, empty non-terminals and delegations are the same. Which service a balanced name answers with is decided in package gslb.
//
// The package is not a resolver: it never asks anybody, and refuses what lies outside its zones.
package adns
