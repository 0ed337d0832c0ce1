// Package gslb is the decision: given intent (a Plan compiled from the GSLB document) and belief (a Status), what does
// this client get, and why?
//
// Decide is one pure function: no I/O, no clock, no global random number, no goroutine, no map iteration. The server,
// explain and the tests call the same one. What a query may write is in Learned, which is passed in.
//
// The package does not speak DNS (package adns does), does not probe (monitors), and does not weigh evidence (sites).
package gslb
