// Package ldns measures how long a packet takes to resolvers (LDNS) and back, for method rtt.
//
// A Prober is told which resolvers are wanted and what it may send: so many packets a second in all, so many resolvers a
// second of one network, no address that is private, reserved, this machine's own or denied, and none that kept silent until
// its pause is over. Whoever can forge the source of queries can make it send no more than that. One round to a resolver
// takes at most three packets. It begins with the kind of probe that the resolver answered last, else with the first of the
// order, and goes on with the next kind when nothing came within the time-out; the shortest time of the round counts.
//
// All state belongs to one goroutine. A socket for each kind and family serves all probes; a connection is opened for TCP
// alone, which cannot do otherwise.
package ldns
