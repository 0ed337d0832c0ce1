// Package geodata knows where addresses are: it reads location files (the CSV formats of NetScaler and MaxMind, MaxMind DB
// files) into one immutable Table, in which an address is found in constant time.
//
// It says what a file says and nothing more. Which place is close to which, and what follows from it for an answer, is
// decided in package gslb.
package geodata
