package direct

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"
)

// soon is a deadline that only a hanging test meets.
func soon() time.Time { return time.Now().Add(10 * time.Second) }

func listening(t *testing.T, address string) (net.Listener, netip.AddrPort) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, netip.MustParseAddrPort(l.Addr().String())
}

func TestConnect(t *testing.T) {
	for name, address := range map[string]string{"IPv4": "127.0.0.1:0", "IPv6": "[::1]:0"} {
		t.Run(name, func(t *testing.T) {
			l, to := listening(t, address)
			if name == "IPv4" {
				to = netip.AddrPortFrom(netip.AddrFrom16(to.Addr().As16()), to.Port()) // as IPv6 has it
			}
			conn, err := Dialer{}.Connect(t.Context(), to, soon())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			far, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			if conn.RemoteAddr().String() != l.Addr().String() || conn.LocalAddr().String() != far.RemoteAddr().String() {
				t.Errorf("from %v to %v, want from %v to %v", conn.LocalAddr(), conn.RemoteAddr(), far.RemoteAddr(), l.Addr())
			}
			if _, err := conn.Write([]byte("ping")); err != nil {
				t.Error(err)
			}
			heard := make([]byte, 16)
			if n, err := far.Read(heard); err != nil || string(heard[:n]) != "ping" {
				t.Errorf("the other end heard %q, %v", heard[:n], err)
			}
			far.Close()
			if n, err := conn.Read(heard); n != 0 || err != io.EOF {
				t.Errorf("read %d, %v of a closed connection, want EOF itself", n, err)
			}
		})
	}
}

func TestErrorsAreThoseOfThePackageNet(t *testing.T) {
	l, to := listening(t, "127.0.0.1:0")
	conn, err := Dialer{}.Connect(t.Context(), to, soon())
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadDeadline(time.Unix(1, 0))
	_, late := conn.Read(make([]byte, 1))
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	far.(*net.TCPConn).SetLinger(0)
	far.Close()
	conn.SetReadDeadline(soon())
	_, reset := conn.Read(make([]byte, 1))
	conn.Close()
	_, closed := conn.Write([]byte("x"))
	l.Close()
	_, refused := Dialer{}.Connect(t.Context(), to, soon())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, cancelled := Dialer{}.Connect(ctx, to, soon())
	for _, tt := range []struct {
		name      string
		got, want error
		op        string
	}{
		{"late", late, os.ErrDeadlineExceeded, "read"},
		{"reset", reset, syscall.ECONNRESET, "read"},
		{"closed", closed, net.ErrClosed, "write"},
		{"refused", refused, syscall.ECONNREFUSED, "dial"},
		{"cancelled", cancelled, context.Canceled, "dial"},
	} {
		op, ok := errors.AsType[*net.OpError](tt.got)
		if !ok || op.Op != tt.op || op.Net != "tcp" || !errors.Is(tt.got, tt.want) && tt.name != "cancelled" {
			t.Errorf("%s: got %v, want a *net.OpError of %q with %v", tt.name, tt.got, tt.op, tt.want)
		}
		if ok && op.Timeout() != (tt.name == "late") {
			t.Errorf("%s: Timeout() is %v", tt.name, op.Timeout())
		}
	}
}

func TestEverythingEndsAtTheDeadline(t *testing.T) {
	_, to := listening(t, "127.0.0.1:0")
	conn, err := Dialer{}.Connect(t.Context(), to, time.Now().Add(time.Second)) // long enough to connect
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	began := time.Now()
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) > time.Minute {
		t.Errorf("read of a silent server: %v after %v", err, time.Since(began))
	}
}
