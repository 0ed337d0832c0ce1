// Package adns answers DNS queries with authority: packets in, answers out.
//
// One path serves every transport. Server.Handle takes the bytes of a request and returns the bytes of the response:
//
//	bytes -> judgeHeader -> query.parse -> judgeMessage -> Snapshot.Resolve -> encode -> bytes
//
// The first judge looks at the fixed header and the counts before anything is unpacked; the second applies policy. No
// transport has a way around them. Snapshot.Resolve is pure but for what it learns, so explain asks the very function
// that serves.
//
// A Snapshot is immutable and loaded once per query. Zones is the compiled form of the document's zones, with balanced
// names as nodes of the same tree as static records: the rules for wildcards, empty non-terminals and delegations are
// the same for both. Which service a balanced name answers with is decided in package gslb.
//
// The package is not a resolver: it never asks anybody, and refuses what lies outside its zones.
package adns
