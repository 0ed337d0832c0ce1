package direct

import (
	"context"
	"net"
	"net/netip"
	"time"
)

// Want is what a Party wants after it heard.
type Want uint8

// What a Party may want.
const (
	Enough Want = iota // nothing: the connection is closed, and Done called
	More               // what came does not tell yet
	Leave              // to go on by itself, with the connection: Take is called, and Done is not
)

// Party is who talks in an Exchange. The loop calls its methods, on its one goroutine: they must not wait for anything.
type Party interface {
	// Sent is called when the connection stands and the request was sent, or could not be: Exchange.SendErr. It reports whether an
	// answer is awaited.
	Sent() (listens bool)
	// Hear is called with all that came so far, which is valid until it returns. ended is what ended it: io.EOF, or an error like those of
	// package net. Unless it is nil Hear must return Enough. What is longer than some KiB, or comes in many parts, is not for the
	// loop: it is then asked for no more, and More means Leave.
	Hear(came []byte, ended error) Want
	// Take hands the connection over, on which everything ends at the deadline, with what came already. Whoever takes it closes it.
	Take(conn net.Conn, came []byte)
	// Done is called when the connection is closed, once. err says why it never stood, as Dialer.Connect does; nil: it did.
	Done(err error)
	// Drop is called in the place of Done when the context of the exchange or the loop has ended.
	Drop()
}

// Exchange is a connection over TCP, a request, and its answer. It is given to one Loop once, and its fields are not changed
// afterwards; once it is over and Reusable it may become another one.
type Exchange struct {
	Context  context.Context // drops it when it ends
	To       netip.AddrPort
	Deadline time.Time // of everything; zero: the loop sets it to Within after Began
	Within   time.Duration
	Request  []byte // sent when the connection stands; empty: nothing is
	Party    Party

	// What became of the request, for the methods of Party.
	Began   time.Time // when the connection was asked for: that it waited for others before is not the other end's fault
	Written int       // bytes of the request
	SendErr error     // why not all were; nil: they were

	flight
}
