// Package api is the REST interface of a node: what it believes of services and sites, why a client would be answered what
// it would be, loads pushed to it, health, and metrics for Prometheus.
//
// New makes an http.Handler of functions that read the node; it holds no state of its own, so two requests never wait for
// each other. Every response about belief is made from one State, which is loaded once.
//
// The listener belongs on loopback, because nobody is authenticated. Three things keep web pages in a browser of the same
// machine out: the Host header must name this machine, which stops DNS rebinding; a write from another origin is refused;
// no response allows another origin to read it.
//
// Refusals are problem documents (RFC 9457) that list everything that is wrong with a request at once. The bodies are in
// package resource. The package does not listen; Server makes an http.Server with limits for whoever does.
package api
