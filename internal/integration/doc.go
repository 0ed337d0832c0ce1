// Package integration holds tests that run the built command between real peers: network namespaces as sites, Debian's
// unbound, nginx and dig. They need root on Linux and the build tag "integration"; where something is missing they are
// skipped and say what. There is nothing in it for other packages.
package integration
