package probe

import (
	"context"
	"net"
	"testing"
	"time"
)

func TestProbeTCP(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	tgt := target("db", address, tcpMonitor(10*time.Second))
	got := New(Options{}).Probe(context.Background(), tgt)
	if !got.OK || got.Reason != "connected" || got.Latency <= 0 {
		t.Errorf("listening: got %+v, want success", got)
	}
	listener.Close()
	if got := New(Options{}).Probe(context.Background(), tgt); got.OK || got.Reason != "tcp connect refused" || got.Latency != 0 {
		t.Errorf("closed: got %+v, want tcp connect refused", got)
	}
}
