// Package node builds the rooms of one site's process, runs them, and owns the one writer of the snapshot.
//
// Everything that can change an answer (a document, a verdict, a load, a peer's report, the passing of time) reaches one
// goroutine, the publisher. It keeps belief (package sites), compiles it with the document's plan into a snapshot, and
// stores that behind one atomic pointer. Queries only load the pointer.
package node
