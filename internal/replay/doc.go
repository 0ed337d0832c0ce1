// Package replay answers recorded queries from two documents and says where the answers differ. It reads query logs and
// dnstap files. It asks no node and sends nothing.
package replay
