// Package loopback gives tests ports of 127.0.0.1 that stay theirs. A port that was found by closing a listener of port 0 is anybody's
// again: the next listener of port 0 or the next connection on its way out may have it before the program that it was found for.
//
// Ports given here lie below those that systems choose themselves, and each is kept for one test among all processes that use this
// package, by a listener at another port that says so.
package loopback
