// Package guard decides what probes and load reads may connect to. Who may write the document, which all sites share, must
// not thereby reach into a machine: its own control sockets, the metadata service of its cloud, its neighbours on the link. What a
// node may reach besides, or must not, stands in its node file.
//
// A name is resolved once for each connection, and the address that is connected to is the one that was judged: a name that
// resolves to something else a moment later gains nothing.
package guard
