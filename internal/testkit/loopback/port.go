package loopback

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// What is given out, and what is listened on to keep it. Linux chooses from 32768 on, others from 49152.
const (
	firstPort = 20000
	given     = 5000
	firstKept = firstPort + given // a port is kept by a listener this many ports above it

	// maxTries bounds the search. With a hundred of the ports in use it is next to certain that three tries do.
	maxTries = 200
)

// Port returns a port of 127.0.0.1 where nobody listens, over UDP or TCP. Nobody else is given it before the test has ended, so it
// serves as well as a port that refuses. Safe for concurrent use.
func Port(t testing.TB) int {
	t.Helper()
	var last error
	for range maxTries {
		port := firstPort + rand.IntN(given)
		kept, err := keep(port)
		if err == nil {
			t.Cleanup(func() { _ = kept.Close() })
			return port
		}
		last = err
	}
	t.Fatalf("take a port: none of %d is free: %v", maxTries, last)
	return 0
}

// Address is 127.0.0.1 with a port that was taken.
func Address(t testing.TB) string {
	t.Helper()
	return address(Port(t))
}

// keep claims a port that nobody has claimed and nobody listens on.
func keep(port int) (net.Listener, error) {
	kept, err := net.Listen("tcp4", address(port-firstPort+firstKept))
	if err != nil {
		return nil, fmt.Errorf("claim port %d: %w", port, err)
	}
	if err := free(port); err != nil {
		_ = kept.Close()
		return nil, fmt.Errorf("try port %d: %w", port, err)
	}
	return kept, nil
}

// free finds out whether a port can be listened on, at all addresses.
func free(port int) error {
	everywhere := ":" + strconv.Itoa(port)
	stream, err := net.Listen("tcp", everywhere)
	if err != nil {
		return err
	}
	defer stream.Close()
	datagrams, err := net.ListenPacket("udp", everywhere)
	if err != nil {
		return err
	}
	return datagrams.Close()
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
