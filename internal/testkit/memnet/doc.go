// Package memnet is a network in memory for testing/synctest bubbles, where real sockets would keep the clock from moving.
// Connections are buffered like TCP's, can stall (nothing arrives, nobody is told) and be cut (both ends get an error). What each
// host writes and reads is counted. A connection without traffic costs about a kilobyte, so that there can be a hundred thousand.
package memnet
