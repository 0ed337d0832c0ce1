package probe

import (
	"net"
	"testing"
	"time"
)

func TestProbeTCP(t *testing.T) {
	eachWay(t, func(t *testing.T, ask func(Target) Result) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		tgt := target("db", listener.Addr().String(), tcpMonitor(10*time.Second))
		got := ask(tgt)
		if !got.OK || got.Reason != "connected" || got.Latency <= 0 {
			t.Errorf("listening: got %+v, want success", got)
		}
		listener.Close()
		if got := ask(tgt); got.OK || got.Reason != "tcp connect refused" || got.Latency != 0 {
			t.Errorf("closed: got %+v, want tcp connect refused", got)
		}
	})
}
