// Package etcdstore keeps the GSLB document in etcd, for many nodes that have one etcd in common.
//
// An Engine is revision.Documents, as replica.Engine is. Its document is in etcd; what it knows of it is in a store of the node's own, too, so that
// the node starts and serves without etcd. Histories have no branches here: a write counts when one transaction has moved the key PREFIX/head from
// the revision that it was made from. docs/etcd.md has the layout.
package etcdstore
