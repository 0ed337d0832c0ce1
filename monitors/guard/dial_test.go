package guard

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// zone is a DNS server whose answers change: each question for an A record takes the next address, the last one stays.
type zone struct {
	mu        sync.Mutex
	addresses []string
	asked     int
}

func (z *zone) next() netip.Addr {
	z.mu.Lock()
	defer z.mu.Unlock()
	a := z.addresses[min(z.asked, len(z.addresses)-1)]
	z.asked++
	return netip.MustParseAddr(a)
}

// resolver asks the zone over a pipe, which net.Resolver takes for TCP.
func (z *zone) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go z.serve(server)
		return client, nil
	}}
}

func (z *zone) serve(conn net.Conn) {
	defer conn.Close()
	for {
		var length [2]byte
		if _, err := io.ReadFull(conn, length[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(conn, query); err != nil {
			return
		}
		end := 12
		for query[end] != 0 {
			end += 1 + int(query[end])
		}
		question := query[12 : end+5]
		answer := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question...)
		if kind := binary.BigEndian.Uint16(question[len(question)-4:]); kind == 1 {
			answer[7] = 1
			address := z.next().As4()
			answer = append(append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4), address[:]...)
		}
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
			return
		}
	}
}

func listener(t *testing.T) (net.Listener, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return l, port
}

func dialWithin(t *testing.T, g *Guard, network, address string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	conn, err := g.DialContext(ctx, network, address)
	if err == nil {
		conn.Close()
	}
	return err
}

func TestDialOfANameThatIsBoundAnew(t *testing.T) {
	l, port := listener(t)
	z := &zone{addresses: []string{"127.0.0.1", "169.254.169.254", "127.0.0.1"}}
	g := New(Options{Resolver: z.resolver()})
	if err := dialWithin(t, g, "tcp", "app.example.com:"+port); err != nil {
		t.Fatalf("the first answer: %v", err)
	}
	if z.asked != 1 {
		t.Errorf("the name was resolved %d times for one connection, want once: what is judged is what is connected to", z.asked)
	}
	wantRefusal(t, dialWithin(t, g, "tcp", "app.example.com:"+port),
		"probes do not reach 169.254.169.254, which app.example.com resolves to: the metadata service of a cloud (node file: probes.allow)")

	g.SetOwn([]netip.AddrPort{netip.MustParseAddrPort(l.Addr().String())})
	wantRefusal(t, dialWithin(t, g, "tcp", "app.example.com:"+port), "which app.example.com resolves to: a control socket of this node")
}

func TestDialLiterals(t *testing.T) {
	_, port := listener(t)
	for address, want := range map[string]string{
		"127.0.0.1:" + port:          passed,
		"[::ffff:127.0.0.1]:" + port: passed,
		"169.254.169.254:80":         "metadata",
		"[fe80::1%lo]:80":            "link-local",
		"0.0.0.0:" + port:            "no host's address",
	} {
		t.Run(address, func(t *testing.T) {
			started := time.Now()
			wantRefusal(t, dialWithin(t, New(Options{}), "tcp", address), want)
			conn, err := New(Options{}).Connect(t.Context(), netip.MustParseAddrPort(address), started.Add(time.Hour))
			if wantRefusal(t, err, want); err == nil {
				conn.Close()
			}
			if took := time.Since(started); took > time.Minute {
				t.Errorf("took %v, want no wait", took)
			}
		})
	}
	// Spellings that the parser of addresses does not take are names; they are judged when they have become addresses.
	for _, address := range []string{"2130706433:" + port, "127.1:" + port, "0x7f000001:" + port, ":" + port} {
		g := New(Options{Deny: prefixes("127.0.0.0/8", "::1/128"), Resolver: (&zone{addresses: []string{"127.0.0.1"}}).resolver()})
		if err := dialWithin(t, g, "tcp", address); err == nil {
			t.Errorf("%s: connected to a denied address", address)
		}
	}
	wantRefusal(t, dialWithin(t, New(Options{}), "ip4:icmp", "127.0.0.1"), "not a network that probes use")
	wantRefusal(t, dialWithin(t, New(Options{}), "unixgram", "/run/x"), "not a network that probes use")
}

func TestAroundJudgesLiterals(t *testing.T) {
	var asked []string
	reached := errors.New("reached")
	dial := New(Options{}).Around(func(_ context.Context, _, address string) (net.Conn, error) {
		asked = append(asked, address)
		return nil, reached
	})
	if _, err := dial(t.Context(), "tcp", "169.254.169.254:80"); err == nil || errors.Is(err, reached) {
		t.Errorf("a denied address: got %v", err)
	}
	for _, address := range []string{"192.0.2.1:80", "app.example.com:80", "/run/haproxy/admin.sock"} {
		if _, err := dial(t.Context(), "tcp", address); !errors.Is(err, reached) {
			t.Errorf("%s: got %v", address, err)
		}
	}
	if len(asked) != 3 {
		t.Errorf("dialled %q", asked)
	}
}

// TestRelativeDirectories: those of a node file that was named by a relative path.
func TestRelativeDirectories(t *testing.T) {
	here := t.TempDir()
	t.Chdir(here)
	if err := os.MkdirAll("run/state", 0o700); err != nil {
		t.Fatal(err)
	}
	real, err := Real("run")
	if err != nil || !filepath.IsAbs(real) {
		t.Fatalf("got %q, %v", real, err)
	}
	for path, want := range map[string]bool{real + "/s": true, real + "/state/s": true, real: false, filepath.Dir(real) + "/s": false} {
		for _, d := range []string{"run", "./run/", "run/state/..", here + "/run"} {
			if got := Below(path, []string{d}); got != want {
				t.Errorf("%s is below %s: got %v, want %v", path, d, got, want)
			}
			if got := Named(path, []string{d}); got != want {
				t.Errorf("%s is named below %s: got %v, want %v", path, d, got, want)
			}
		}
	}
}

func TestDialSockets(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("paths of sockets are not judged by links there")
	}
	allowed, other := t.TempDir(), t.TempDir()
	private := filepath.Join(allowed, "state")
	below := filepath.Join(allowed, "lb1")
	for _, d := range []string{private, below} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{filepath.Join(allowed, "s"), filepath.Join(below, "s"), filepath.Join(private, "s"), filepath.Join(other, "s")} {
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
	}
	link := func(to, from string) string {
		if err := os.Symlink(to, from); err != nil {
			t.Fatal(err)
		}
		return from
	}
	escape := link(filepath.Join(other, "s"), filepath.Join(allowed, "escape"))
	inside := link(filepath.Join(below, "s"), filepath.Join(allowed, "inside"))
	linked := link(allowed, filepath.Join(other, "linked"))
	file := filepath.Join(allowed, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, path  string
		directories []string
		want        string
	}{
		{"below the directory", filepath.Join(allowed, "s"), []string{allowed}, passed},
		{"in a directory below", filepath.Join(below, "s"), []string{allowed}, passed},
		{"by a link that stays inside", inside, []string{allowed}, passed},
		{"the directory is a link", filepath.Join(allowed, "s"), []string{linked}, passed},
		{"through such a directory", filepath.Join(linked, "s"), []string{linked + "/"}, passed},
		{"elsewhere", filepath.Join(other, "s"), []string{allowed}, "outside of the directories whose sockets may be read (node file: probes.sockets)"},
		{"none elsewhere", filepath.Join(other, "none"), []string{allowed}, "outside of the directories"}, // not: no such file
		{"none, by dots", allowed + "/../" + filepath.Base(other) + "/none", []string{allowed}, "outside of the directories"},
		{"none allowed", filepath.Join(allowed, "s"), nil, "outside of the directories"},
		{"by a link that leads out", escape, []string{allowed}, "outside of the directories"},
		{"by dots", allowed + "/../" + filepath.Base(other) + "/s", []string{allowed}, "outside of the directories"},
		{"a directory with the same beginning", filepath.Join(other, "s"), []string{other[:len(other)-1]}, "outside of the directories"},
		{"this node's own", filepath.Join(private, "s"), []string{allowed}, "a socket of this node"},
		{"relative", "s", []string{allowed}, "not the absolute path"},
		{"abstract", "@s", []string{allowed}, "not the absolute path"},
		{"a file", file, []string{allowed}, "not a socket"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := New(Options{SocketDirectories: test.directories, Private: []string{private}})
			wantRefusal(t, dialWithin(t, g, "unix", test.path), test.want)
		})
	}
	err := dialWithin(t, New(Options{SocketDirectories: []string{allowed}}), "unix", filepath.Join(allowed, "none"))
	if !errors.Is(err, os.ErrNotExist) || strings.Count(err.Error(), allowed) != 1 {
		t.Errorf("a socket that is not there: got %v", err)
	}
}
