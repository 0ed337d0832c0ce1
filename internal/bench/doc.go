// Package bench measures DNS servers: a load generator that checks every answer.
//
// A Generator sends queries that were compiled to wire form beforehand (Queries) over many connected sockets. In a closed
// loop (Options.Rate 0) each socket keeps a fixed number of queries outstanding, which finds a server's limit. In an open
// loop queries are due at fixed times, whatever the server does, and latency counts from the time at which a query was
// due: a server that stalls cannot hide it by slowing the generator down.
//
// On Linux, UDP and TCP use raw non-blocking sockets, and UDP moves batches with recvmmsg and sendmmsg; one thread can then
// saturate a server on another core. Elsewhere, and for TLS, there is a portable engine on package net, a goroutine per
// socket.
//
// Each query sent in the measured time ends in exactly one of three ways: answered, wrong (the answer failed a check), or
// lost (no answer within the time-out).
package bench
