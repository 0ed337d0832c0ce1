// Package probe asks a target once whether it is up. One file has one kind of probe; exchange.go has what they share: how a
// connection is opened, bounded, encrypted and closed, and how an answer becomes a result.
//
// Whatever a server does, a probe ends by its deadline, reads no more than its limits, and leaves no goroutine behind.
package probe
