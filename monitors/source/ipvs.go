package source

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"fairlead/config"
	"fairlead/monitors/metric"
)

// ipvs reads the table of Linux's IP virtual server: of one virtual service how many connections and real servers it has. It needs no
// privilege. What went through is counted there for all services together only, and counts when there is no other one.
func (r *Reader) ipvs(ctx context.Context, src *config.LoadSource) (Reading, error) {
	of, err := config.ParseIPVSService(src.Backend)
	if err != nil {
		return Reading{}, err
	}
	var table ipvsTable
	err = r.table(ctx, "net/ip_vs", func(lines *tableLines) (err error) {
		table, err = readIPVS(lines, &of)
		return err
	})
	switch {
	case errors.Is(err, os.ErrNotExist):
		return Reading{}, fmt.Errorf("this machine has no IPVS: load the module ip_vs (%w)", err)
	case err != nil:
		return Reading{}, err
	case !table.found:
		return Reading{}, fmt.Errorf("no virtual service %q among the %d that there are", src.Backend, table.services)
	}
	out := Reading{Parts: make([]Part, len(src.Custom))}
	out.tell(metric.Active, table.active, "the number of connections")
	out.tell(metric.Members, table.members, "the number of servers")
	out.tell(metric.MemberWeight, table.weight, "the weight of the servers")
	if table.services > 1 {
		out.missing(fmt.Errorf("bytes and packets of one of %d virtual services are not told", table.services))
		return out, nil
	}
	err = r.table(ctx, "net/ip_vs_stats", func(lines *tableLines) error { return readIPVSStats(lines, &out) })
	if err != nil {
		out.missing(err)
	}
	return out, nil
}

// ipvsTable is what /proc/net/ip_vs says of one virtual service.
type ipvsTable struct {
	services                int // in all
	found                   bool
	active, members, weight float64
}

// readIPVS reads a table of lines such as
//
//	TCP  C0000250:01BB wlc
//	  -> C633640B:20FB      Masq    40     312        57
//
// with the way of forwarding, weight, active and inactive connections of each real server. All connections of UDP are inactive.
func readIPVS(lines *tableLines, of *config.IPVSService) (out ipvsTable, err error) {
	inside := false
	for lines.next() {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) < 2 || fields[0] == "IP" || fields[0] == "Prot":
		case fields[0] == "->" && (!inside || fields[1] == "RemoteAddress:Port"):
		case fields[0] == "->":
			if err := out.add(fields, of.Protocol != "udp"); err != nil {
				return out, fmt.Errorf("line %d: %w", lines.n, err)
			}
		default:
			is, err := isIPVSService(fields, of)
			if err != nil {
				return out, fmt.Errorf("line %d: %w", lines.n, err)
			}
			inside, out.found = is, out.found || is
			out.services++
		}
	}
	return out, lines.failed()
}

func (t *ipvsTable) add(fields []string, stateful bool) error {
	if len(fields) < 6 {
		return fmt.Errorf("a real server has %d fields, want 6", len(fields))
	}
	var n [3]float64 // weight, active, inactive
	for i := range n {
		v, err := strconv.ParseUint(fields[3+i], 10, 32)
		if err != nil {
			return fmt.Errorf("%q is not a number", fields[3+i])
		}
		n[i] = float64(v)
	}
	if t.active += n[1]; !stateful {
		t.active += n[2]
	}
	if t.weight += n[0]; n[0] > 0 {
		t.members++
	}
	return nil
}

// isIPVSService compares the head of a virtual service.
func isIPVSService(fields []string, of *config.IPVSService) (bool, error) {
	if fields[0] == "FWM" {
		mark, err := strconv.ParseUint(fields[1], 16, 32)
		if err != nil {
			return false, fmt.Errorf("%q is not a mark", fields[1])
		}
		return of.Protocol == "fwmark" && uint32(mark) == of.Mark, nil
	}
	if !strings.EqualFold(fields[0], of.Protocol) {
		return false, nil
	}
	at, err := parseIPVSAddress(fields[1])
	return at == of.Address, err
}

// parseIPVSAddress reads C0000250:01BB, or [2001:0db8:...:0080]:0050: the port is hexadecimal in both.
func parseIPVSAddress(text string) (netip.AddrPort, error) {
	wrong := fmt.Errorf("%q is not an address", text)
	i := strings.LastIndexByte(text, ':')
	if i < 0 {
		return netip.AddrPort{}, wrong
	}
	port, err := strconv.ParseUint(text[i+1:], 16, 16)
	if err != nil {
		return netip.AddrPort{}, wrong
	}
	host := text[:i]
	if six, ok := strings.CutPrefix(host, "["); ok {
		a, err := netip.ParseAddr(strings.TrimSuffix(six, "]"))
		if err != nil || a.Zone() != "" {
			return netip.AddrPort{}, wrong
		}
		return netip.AddrPortFrom(a, uint16(port)), nil
	}
	octets, err := hex.DecodeString(host)
	if err != nil || len(octets) != 4 {
		return netip.AddrPort{}, wrong
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(octets)), uint16(port)), nil
}

// readIPVSStats reads /proc/net/ip_vs_stats: after two lines of headings hexadecimal totals of connections, packets in and out, and
// bytes in and out.
func readIPVSStats(lines *tableLines, out *Reading) error {
	for lines.next() {
		fields := strings.Fields(lines.Text())
		if len(fields) != 5 {
			continue
		}
		var n [5]float64
		ok := true
		for i, f := range fields {
			v, err := strconv.ParseUint(f, 16, 64)
			if ok = ok && err == nil; ok {
				n[i] = float64(v)
			}
		}
		if !ok { // "Conns Packets Packets Bytes Bytes"
			continue
		}
		out.tell(metric.RequestsTotal, n[0], "the number of connections so far")
		out.tell(metric.PacketsTotal, n[1]+n[2], "packets so far")
		out.tell(metric.BytesTotal, n[3]+n[4], "bytes so far")
		return nil
	}
	if err := lines.failed(); err != nil {
		return err
	}
	return errors.New("the table has no totals")
}
