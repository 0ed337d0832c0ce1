// Package client asks a node over its REST interface: for the command line, and for Go programs.
//
// Answers are the structs of package resource. Everything read is bounded, redirects are not followed, and no proxy is
// asked: the interface is on loopback.
package client
