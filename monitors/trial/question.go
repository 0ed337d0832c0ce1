package trial

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"fairlead/config"
	"fairlead/monitors/probe"
	"fairlead/monitors/reason"
)

// Errors of a question that cannot be put.
var (
	// ErrNoMonitor: the document has no monitor of this name.
	ErrNoMonitor = errors.New("the document has no such monitor")
	// ErrNoService: the document has no service of this name.
	ErrNoService = errors.New("the document has no such service")
	// ErrNothing: there is nothing to run it against.
	ErrNothing = errors.New("nothing to run it against")
	// ErrTarget: the target cannot be read, or cannot be one of this monitor.
	ErrTarget = errors.New("not a target")
)

// maxTargetText is the longest target that is read: a name of 253 octets and a port.
const maxTargetText = 260

// Question asks what one run of a monitor gives.
type Question struct {
	Monitor string
	// Service narrows down to the addresses of one service, whether the monitor is bound to it or not. Empty: all services that bind it.
	Service string
	// Target is probed instead: an address or a name, with a port or without, which is then the monitor's own, the service's or the protocol's.
	Target string
}

// asked is a monitor against an address.
type asked struct {
	target probe.Target
	dns    *probe.Step // how the address was found; nil: it was given
}

// readTarget reads a target as a question has it. port is 0 when it has none.
func readTarget(text string) (host string, port uint16, err error) {
	bad := fmt.Errorf("%w: %s is neither HOST nor HOST:PORT; an IPv6 address with a port is in brackets", ErrTarget, reason.Quote(text))
	if len(text) > maxTargetText {
		return "", 0, bad
	}
	literal := text
	if inside, ok := strings.CutPrefix(text, "["); ok && strings.HasSuffix(inside, "]") {
		literal = strings.TrimSuffix(inside, "]")
	}
	if a, err := netip.ParseAddr(literal); err == nil {
		if !isInterface(a.Zone()) {
			return "", 0, bad
		}
		return a.String(), 0, nil
	}
	host = text
	if h, p, err := net.SplitHostPort(text); err == nil {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return "", 0, bad
		}
		host, port = h, uint16(n)
	}
	if a, err := netip.ParseAddr(host); err == nil {
		if !isInterface(a.Zone()) {
			return "", 0, bad
		}
		return host, port, nil
	}
	name, err := config.CanonicalName(host)
	if err != nil || name == "." || host == "" {
		return "", 0, bad
	}
	return strings.TrimSuffix(name, "."), port, nil
}

// isInterface reports whether the zone of an address can be the name of an interface, or its number: netip takes everything after a %
// for one, a port included.
func isInterface(zone string) bool {
	return !strings.ContainsFunc(zone, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune("._-", r)
	})
}

// find lists what a question is about, and how much of it is left out.
func (t *Trials) find(ctx context.Context, doc *config.Document, q *Question) ([]asked, int, error) {
	m := monitorOf(doc, q.Monitor)
	if m == nil {
		return nil, 0, fmt.Errorf("test monitor %q: %w", q.Monitor, ErrNoMonitor)
	}
	var of []*config.Service
	if q.Service != "" {
		s := serviceOf(doc, q.Service)
		if s == nil {
			return nil, 0, fmt.Errorf("test monitor %q of service %q: %w", q.Monitor, q.Service, ErrNoService)
		}
		of = append(of, s)
	}
	if q.Target != "" {
		list, err := t.elsewhere(ctx, m, of, q.Target)
		return list, 0, err
	}
	if of == nil {
		of = binding(doc, m.Name)
	}
	var out []asked
	for _, s := range of {
		for _, a := range s.Addresses {
			out = append(out, asked{target: probe.Target{Service: s.Name, Monitor: m, Address: netip.AddrPortFrom(a, uint16(s.Port))}})
		}
	}
	if len(out) == 0 {
		return nil, 0, fmt.Errorf("test monitor %q: %w: %s", m.Name, ErrNothing, whyNothing(of, q))
	}
	left := max(len(out)-MaxRuns, 0)
	return out[:len(out)-left], left, nil
}

func whyNothing(of []*config.Service, q *Question) string {
	switch {
	case q.Service != "":
		return fmt.Sprintf("service %q has no address now; say which target", q.Service)
	case len(of) > 0:
		return "no service that binds it has an address now; say which target"
	}
	return "no service binds it; say which service, or which target"
}

// elsewhere finds the target of a question that has one of its own.
func (t *Trials) elsewhere(ctx context.Context, m *config.Monitor, of []*config.Service, text string) ([]asked, error) {
	if m.Type == config.MonitorPassive {
		return nil, fmt.Errorf("test monitor %q: %w: passive monitors ask no target, but go by the service's load source", m.Name, ErrTarget)
	}
	host, port, err := readTarget(text)
	if err != nil {
		return nil, fmt.Errorf("test monitor %q: %w", m.Name, err)
	}
	one := *m
	service := ""
	if own := one.Target; own != nil {
		one.Target = nil
		if port == 0 {
			port = uint16(own.Port)
		}
	}
	if len(of) > 0 {
		service = of[0].Name
		if port == 0 {
			port = uint16(of[0].Port)
		}
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return []asked{{target: probe.Target{Service: service, Monitor: &one, Address: netip.AddrPortFrom(a.Unmap(), port)}}}, nil
	}
	began := time.Now()
	resolving, stop := context.WithTimeout(ctx, probe.Timeout(m.Interval, m.Timeout))
	defer stop()
	found, err := t.opts.Lookup(resolving, host)
	if err != nil || len(found) == 0 {
		return nil, fmt.Errorf("test monitor %q: %w: %s does not resolve: %s", m.Name, ErrTarget, reason.Quote(host), whyUnresolved(err))
	}
	var out []asked
	for _, a := range found[:min(len(found), maxResolved)] {
		out = append(out, asked{probe.Target{Service: service, Monitor: &one, Address: netip.AddrPortFrom(a.Unmap(), port)},
			&probe.Step{Name: "dns", At: time.Since(began), Note: host + " is " + a.Unmap().String()}})
	}
	return out, nil
}

func whyUnresolved(err error) string {
	var d *net.DNSError
	switch {
	case err == nil:
		return "it has no address"
	case errors.As(err, &d):
		return d.Err
	case errors.Is(err, context.DeadlineExceeded):
		return "timed out"
	}
	return reason.Printable(err.Error())
}

func monitorOf(doc *config.Document, name string) *config.Monitor {
	for i := range doc.Monitors {
		if doc.Monitors[i].Name == name {
			return &doc.Monitors[i]
		}
	}
	return nil
}

func serviceOf(doc *config.Document, name string) *config.Service {
	for i := range doc.Services {
		if doc.Services[i].Name == name {
			return &doc.Services[i]
		}
	}
	return nil
}

// binding lists the services that bind a monitor.
func binding(doc *config.Document, monitor string) (out []*config.Service) {
	for i := range doc.Services {
		for _, bound := range doc.Services[i].Monitors {
			if bound.Monitor == monitor {
				out = append(out, &doc.Services[i])
				break
			}
		}
	}
	return out
}
