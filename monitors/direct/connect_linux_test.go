//go:build !386

package direct

import (
	"context"
	"errors"
	"io"
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
	if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) > 30*time.Second {
		t.Errorf("at the deadline: %v after %v", err, time.Since(began))
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	began = time.Now()
	_, err = Dialer{}.Connect(ctx, to, began.Add(time.Minute))
	if !errors.Is(err, context.Canceled) || time.Since(began) > 30*time.Second {
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
	if e := connectTo(uintptr(fd), newPeer(to)); e != 0 && !pending(e) {
		t.Fatal(e)
	}
	c, err := newConn(fd, to)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(soon())
	if e, err := c.await(t.Context(), newPeer(to)); err != nil || e != 0 && e != syscall.EISCONN {
		t.Error(e, err)
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
	if err := connectTo(uintptr(fd), newPeer(c.remote)); err != 0 {
		t.Fatalf("the kernel connects no socket with itself: %v", err)
	}
	if c.local() != c.remote {
		t.Errorf("this end is %v, want %v", c.local(), c.remote)
	}
}

// TestSecondWriteIsSentAtOnce: it does not wait for the acknowledgement of the first.
func TestSecondWriteIsSentAtOnce(t *testing.T) {
	_, to := listening(t, "127.0.0.1:0")
	c, err := open(t.Context(), to, soon())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for written, want := range []int{0, 0, 1, 1} {
		if written > 0 {
			if _, err := c.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := syscall.GetsockoptInt(c.fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY); err != nil || got != want {
			t.Errorf("after %d writes: TCP_NODELAY is %d, %v, want %d", written, got, err, want)
		}
	}
}

// TestWriteOfMoreThanThereIsRoomFor waits for room, and ends at the deadline.
func TestWriteOfMoreThanThereIsRoomFor(t *testing.T) {
	l, to := listening(t, "127.0.0.1:0")
	c, err := open(t.Context(), to, soon())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	const size = 16 << 20
	read := make(chan int64, 1)
	go func() {
		n, _ := io.Copy(io.Discard, io.LimitReader(far, size))
		read <- n
	}()
	if n, err := c.Write(make([]byte, size)); n != size || err != nil || <-read != size {
		t.Errorf("wrote %d, %v", n, err)
	}
	_ = c.SetWriteDeadline(time.Now().Add(time.Second)) // long enough to write some
	if n, err := c.Write(make([]byte, size)); n == 0 || n == size || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("to one who does not read: wrote %d, %v", n, err)
	}
}
