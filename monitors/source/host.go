package source

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"fairlead/config"
	"fairlead/monitors/metric"
)

// Limits of what is read of a kernel's tables.
const (
	maxTableLine = 4 << 10
	// linesPerLook is after how many lines of a table the time is looked at.
	linesPerLook = 1024
)

// establishedState is ESTABLISHED in the kernel's numbers of TCP states.
const establishedState = 1

// localEnd is the local end of the connections that count.
type localEnd struct {
	addresses []netip.Addr // empty: all
	port      uint16
}

func (l *localEnd) has(a netip.Addr) bool {
	return len(l.addresses) == 0 || slices.Contains(l.addresses, a.Unmap())
}

func localEndOf(t *Target) (localEnd, error) {
	if t.Source.Backend == "" {
		if t.Port == 0 || len(t.Addresses) == 0 {
			return localEnd{}, errors.New("no connections to count: set backend, or address and port of the service")
		}
		return localEnd{t.Addresses, t.Port}, nil
	}
	at, err := config.ParseLocalEnd(t.Source.Backend)
	if err != nil {
		return localEnd{}, err
	}
	out := localEnd{port: at.Port()}
	if at.Addr().IsValid() && !at.Addr().IsUnspecified() {
		out.addresses = []netip.Addr{at.Addr()}
	}
	return out, nil
}

// host reads this machine: TCP connections that clients hold to a local end, and what the network interfaces counted.
func (r *Reader) host(ctx context.Context, t *Target) (Reading, error) {
	if runtime.GOOS != "linux" && r.opts.Proc == "" {
		return Reading{}, errors.New("load source host needs Linux")
	}
	end, err := localEndOf(t)
	if err != nil {
		return Reading{}, err
	}
	active, err := r.established(ctx, &end)
	if err != nil {
		return Reading{}, fmt.Errorf("count connections: %w", err)
	}
	out := Reading{Parts: make([]Part, len(t.Source.Custom))}
	out.tell(metric.Active, float64(active), "the number of connections")
	err = r.table(ctx, "net/dev", func(lines *tableLines) error {
		bytes, packets, err := readDevices(lines, t.Source.Interface)
		if err == nil {
			out.tell(metric.BytesTotal, bytes, "bytes of the interfaces")
			out.tell(metric.PacketsTotal, packets, "packets of the interfaces")
		}
		return err
	})
	if err != nil {
		out.missing(err)
	}
	return out, nil
}

// established counts connections: by asking the kernel for just these, or, where that is not possible, in its tables of all.
func (r *Reader) established(ctx context.Context, end *localEnd) (count int, err error) {
	if r.opts.Proc == "" {
		if count, err = askEstablished(ctx, end); err == nil || !errors.Is(err, errNotAsked) {
			return count, err
		}
	}
	for _, name := range []string{"net/tcp", "net/tcp6"} {
		err := r.table(ctx, name, func(lines *tableLines) error {
			n, err := countEstablished(lines, end)
			count += n
			return err
		})
		if err != nil && !(name == "net/tcp6" && errors.Is(err, os.ErrNotExist)) { // a kernel without IPv6
			return 0, err
		}
	}
	return count, nil
}

// errNotAsked says that the kernel does not let this process ask for connections.
var errNotAsked = errors.New("the kernel does not tell its connections over netlink")

// tableLines are the lines of a table of the kernel. Reading them ends with the context.
type tableLines struct {
	*bufio.Scanner
	ctx context.Context
	n   int
}

func newTableLines(ctx context.Context, r io.Reader) *tableLines {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, maxTableLine), maxTableLine)
	return &tableLines{Scanner: s, ctx: ctx}
}

// next advances to the next line.
func (l *tableLines) next() bool {
	if l.n++; l.n%linesPerLook == 0 && l.ctx.Err() != nil {
		return false
	}
	return l.Scan()
}

// failed is why there are no more lines; nil: the table is over.
func (l *tableLines) failed() error {
	if err := l.ctx.Err(); err != nil {
		return err
	}
	if err := l.Err(); err != nil {
		return fmt.Errorf("line %d: %w", l.n, err)
	}
	return nil
}

// table reads a file of the kernel, below /proc.
func (r *Reader) table(ctx context.Context, name string, read func(*tableLines) error) error {
	root := r.opts.Proc
	if root == "" {
		root = "/proc"
	}
	f, err := os.Open(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := read(newTableLines(ctx, f)); err != nil {
		return fmt.Errorf("read %s: %w", filepath.ToSlash(filepath.Join(root, name)), err)
	}
	return nil
}

// readDevices adds up what interfaces received and sent, by /proc/net/dev. Of one when it is named, else of all but loopback.
func readDevices(lines *tableLines, only string) (bytes, packets float64, err error) {
	found := false
	for lines.next() {
		name, counts, ok := strings.Cut(lines.Text(), ":")
		if name = strings.TrimSpace(name); !ok || only != "" && name != only || only == "" && name == "lo" {
			continue
		}
		// Received: bytes packets errs drop fifo frame compressed multicast; sent: bytes packets ...
		fields := strings.Fields(counts)
		if len(fields) < 10 {
			return 0, 0, fmt.Errorf("interface %s has %d counters, want at least 10", name, len(fields))
		}
		var n [10]uint64
		for _, i := range []int{0, 1, 8, 9} {
			if n[i], err = strconv.ParseUint(fields[i], 10, 64); err != nil {
				return 0, 0, fmt.Errorf("interface %s: counter %q is not a number", name, fields[i])
			}
		}
		bytes, packets, found = bytes+float64(n[0])+float64(n[8]), packets+float64(n[1])+float64(n[9]), true
	}
	if err := lines.failed(); err != nil {
		return 0, 0, err
	}
	if !found && only != "" {
		return 0, 0, fmt.Errorf("there is no interface %q", only)
	}
	return bytes, packets, nil
}

// countEstablished counts connections in /proc/net/tcp or /proc/net/tcp6.
func countEstablished(lines *tableLines, end *localEnd) (count int, err error) {
	for lines.next() {
		// sl local_address rem_address st ...
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || fields[0] == "sl" {
			continue
		}
		state, err := strconv.ParseUint(fields[3], 16, 8)
		if err != nil {
			return 0, fmt.Errorf("line %d: state %q is not a number", lines.n, fields[3])
		}
		if state != establishedState {
			continue
		}
		local, err := parseKernelEnd(fields[1])
		if err != nil {
			return 0, fmt.Errorf("line %d: %w", lines.n, err)
		}
		if local.Port() == end.port && end.has(local.Addr()) {
			count++
		}
	}
	return count, lines.failed()
}

// parseKernelEnd reads an address of /proc/net/tcp: words of 32 bits as the machine stores them, in hexadecimal, and the port.
func parseKernelEnd(text string) (netip.AddrPort, error) {
	address, port, ok := strings.Cut(text, ":")
	p, err := strconv.ParseUint(port, 16, 16)
	var octets [16]byte
	if !ok || err != nil || len(address) != 8 && len(address) != 32 {
		return netip.AddrPort{}, fmt.Errorf("%q is not an address", text)
	}
	n, err := hex.Decode(octets[:], []byte(address))
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q is not an address", text)
	}
	if littleEndian {
		for i := 0; i < n; i += 4 {
			slices.Reverse(octets[i : i+4])
		}
	}
	a, _ := netip.AddrFromSlice(octets[:n]) // of 4 or 16 octets
	return netip.AddrPortFrom(a.Unmap(), uint16(p)), nil
}
