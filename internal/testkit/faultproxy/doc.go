// Package faultproxy passes TCP connections on and spoils them on purpose: late, slowly, with wrong bytes, not at all, or with
// one end left in the belief that the other is still there. Kernels can do some of it for whole links; this works everywhere,
// and on one connection's way.
//
// Faults are set for each direction, at any time, and hold for the bytes read from then on. Memory is bounded: a direction
// holds maxQueued chunks of chunkSize bytes, then reading waits, as a full socket buffer would make it.
package faultproxy
