// Package mesh measures what a large mesh of sites costs: real Exchanges at both ends of every session, in one process, either
// over a network in memory with virtual time, or over loopback with TLS. It has tests only; the small runs are part of
// every test run, the large ones are asked for:
//
//	go test ./bench/mesh -run Scale -v -timeout 1h -args -parents 256 -children 16384 -seconds 30
//	go test ./bench/mesh -run Storm -v -timeout 1h -args -parents 256 -children 16384
//	go test ./bench/mesh -run Real -v -timeout 1h -args -parents 32 -children 256 -minutes 10
package mesh
