package direct

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"
)

// full is a listener that takes no more connections, and tells nobody so: what is opened to it stays under way.
func full(t *testing.T) netip.AddrPort {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	to := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(name.(*syscall.SockaddrInet4).Port))
	for range 8 {
		conn, err := Dialer{}.Connect(t.Context(), to, time.Now().Add(100*time.Millisecond))
		if err != nil {
			return to
		}
		t.Cleanup(func() { conn.Close() })
	}
	t.Skip("a listener that is never full")
	return to
}

func TestConnectThatDoesNotComeAbout(t *testing.T) {
	to := full(t)
	began := time.Now()
	_, err := Dialer{}.Connect(t.Context(), to, began.Add(50*time.Millisecond))
	if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) > 3*time.Second {
		t.Errorf("at the deadline: %v after %v", err, time.Since(began))
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	began = time.Now()
	_, err = Dialer{}.Connect(ctx, to, began.Add(time.Minute))
	if !errors.Is(err, context.Canceled) || time.Since(began) > 3*time.Second {
		t.Errorf("cancelled: %v after %v", err, time.Since(began))
	}
}

// TestConnectThatComesAboutLater: the waiting for what is under way ends with the connection, too.
func TestConnectThatComesAboutLater(t *testing.T) {
	l, to := listening(t, "127.0.0.1:0")
	fd, err := newSocket(to)
	if err != nil {
		t.Fatal(err)
	}
	c := &conn{fd: fd, remote: to}
	if err := syscall.Connect(fd, sockaddr(to)); err != nil && !pending(err) {
		t.Fatal(err)
	}
	c.file = os.NewFile(uintptr(fd), "")
	defer c.Close()
	_ = c.SetDeadline(soon())
	if err := c.await(t.Context(), sockaddr(to)); err != nil {
		t.Error(err)
	}
	if far, err := l.Accept(); err != nil || far.RemoteAddr().String() != c.LocalAddr().String() {
		t.Errorf("accepted %v, %v", far, err)
	}
}

// TestConnectionToItself: where nobody listens, the kernel may choose the very port as the source of a connection, which is then
// established with itself. Nobody is there for all that.
func TestConnectionToItself(t *testing.T) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	c := &conn{fd: fd}
	if c.remote = c.local(); c.remote.Port() == 0 {
		t.Fatal("no port was bound")
	}
	if err := syscall.Connect(fd, sockaddr(c.remote)); err != nil {
		t.Fatalf("the kernel connects no socket with itself: %v", err)
	}
	if c.local() != c.remote {
		t.Errorf("this end is %v, want %v", c.local(), c.remote)
	}
}
