// Package doctor looks at a site as an operator would who was just called: its files, its machine, its delegation, the other
// sites, etcd, and the running node. Each check says what it saw, why that matters and what to do.
//
// No check changes anything: files are opened for reading, addresses are bound but never listened on, other machines get a
// bounded number of ordinary questions (maxZones, maxServers, maxPeers). All of them together end with Options.Timeout.
package doctor
