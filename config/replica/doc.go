// Package replica keeps the GSLB document of one site and shares it with the other sites: writes are stored here before they are
// acknowledged, told to who is connected, and what others wrote is merged in, the same way at every site.
//
// An Engine is revision.Documents over a Store, which keeps bytes, and a Compiler, which knows what a document means. It speaks to other
// sites in messages whose layout stands beside their kinds; docs/mep-protocol.md has them, too. It opens no connection and reads no file.
package replica
