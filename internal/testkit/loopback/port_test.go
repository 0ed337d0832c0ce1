package loopback

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"testing"
)

// TestAPortIsGivenOnce: whoever asks, as long as the test runs that has it.
func TestAPortIsGivenOnce(t *testing.T) {
	const askers, each = 8, 25
	var mu sync.Mutex
	var all sync.WaitGroup
	times := map[int]int{}
	for range askers {
		all.Go(func() {
			for range each {
				port := Port(t)
				mu.Lock()
				times[port]++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	for port, n := range times {
		if n > 1 || port < firstPort || port >= firstPort+given {
			t.Errorf("port %d was given %d times, want once, and one from %d to %d", port, n, firstPort, firstPort+given-1)
		}
		if _, err := keep(port); err == nil {
			t.Errorf("port %d can be taken again while its test runs", port)
		}
	}
}

// TestAPortCanBeListenedOn over both transports, and refuses until then.
func TestAPortCanBeListenedOn(t *testing.T) {
	at := Address(t)
	if c, err := net.Dial("tcp", at); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%s: connected to %v, %v, want refused", at, c, err)
	}
	for range 2 { // as a server does that is started again
		stream, err := net.Listen("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		datagrams, err := net.ListenPacket("udp", at)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = stream.Close(), datagrams.Close()
	}
}

// TestAPortIsGivenBack when its test ends.
func TestAPortIsGivenBack(t *testing.T) {
	const tries = 5 // another process may have taken one meanwhile
	var err error
	for range tries {
		var port int
		t.Run("taken", func(t *testing.T) { port = Port(t) })
		var kept net.Listener
		if kept, err = keep(port); err == nil {
			_ = kept.Close()
			return
		}
	}
	t.Errorf("none of %d ports is free after its test: %v", tries, err)
}

// TestBusyPortsAreNotGiven, over whichever transport.
func TestBusyPortsAreNotGiven(t *testing.T) {
	port := Port(t)
	for _, network := range []string{"tcp", "udp"} {
		var closing interface{ Close() error }
		var err error
		if network == "tcp" {
			closing, err = net.Listen(network, address(port))
		} else {
			closing, err = net.ListenPacket(network, address(port))
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := free(port); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("port %d is listened on over %s: %v, want in use", port, network, err)
		}
		_ = closing.Close()
	}
}
