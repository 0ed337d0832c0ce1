package node_test

import (
	"net"
	"sync"
	"testing"
)

// backend accepts connections and closes them.
type backend struct {
	port  int
	close func()
}

func newBackend(t *testing.T) *backend {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	})
	b := &backend{port: l.Addr().(*net.TCPAddr).Port}
	b.close = sync.OnceFunc(func() {
		_ = l.Close()
		done.Wait()
	})
	t.Cleanup(b.close)
	return b
}
