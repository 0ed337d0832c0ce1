package probe

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"fairlead/config"
	"fairlead/monitors/reason"
	"fairlead/monitors/trust"
)

// maxSteps bounds what a trace notes.
const maxSteps = 64

// exchange is one run of one probe: what is asked, and what became known so far. A kind of probe is a method that returns nil when the
// target is as it should be, a mismatch when it answered otherwise, and any other error when it did not answer. It belongs to one
// goroutine.
type exchange struct {
	*Prober
	ctx      context.Context // ends at the deadline, but for bare probes, whose connection does
	prepared *Prepared
	target   Target
	monitor  *config.Monitor // with the defaults of its section
	started  time.Time
	timeout  time.Duration
	deadline time.Time // by it

	first  time.Time // of the first byte of the answer; zero: none came
	reason string    // of a probe that passes
	drain  bool
	values []Value
	traced bool
	steps  []Step
	hidden []string // what no reason may show
	closes []func()
	room   [4]func() // for closes; most probes need no more
	bound  boundedReader
	packet *[maxHeard]byte // with the latest datagram; nil: it was given back
}

// mismatch is an answer that is not as expected: what reverse turns round.
type mismatch struct{ error }

func (m *mismatch) Unwrap() error { return m.error }

// unlike says that the target answered, but not as expected.
func unlike(format string, args ...any) error { return &mismatch{fmt.Errorf(format, args...)} }

// passes sets the reason of a probe that passes.
func (x *exchange) passes(format string, args ...any) {
	x.reason = reason.Printable(fmt.Sprintf(format, args...))
}

// answered notes that the first byte of the answer is here. Later calls change nothing.
func (x *exchange) answered() {
	if x.first.IsZero() {
		x.first = time.Now()
		x.step("first byte", "")
	}
}

// step notes a part that is done, for a trace.
func (x *exchange) step(name, note string) {
	if x.traced && len(x.steps) < maxSteps {
		x.steps = append(x.steps, Step{Name: name, At: time.Since(x.started), Note: reason.Printable(x.veiled(note))})
	}
}

// value notes a number that the target told.
func (x *exchange) value(v Value) {
	if len(x.values) < MaxValues {
		x.values = append(x.values, v)
	}
}

// status looks at a status code for drain_on. It returns true when the target asks to be drained by it: the probe is over then.
func (x *exchange) status(code int) bool {
	if !x.prepared.draining.has(code) {
		return false
	}
	x.drain = true
	x.passes("status %d drains", code)
	return true
}

// text looks at what was received for drain_on, as status does.
func (x *exchange) text(received []byte) bool {
	d := x.monitor.DrainOn
	if d == nil || d.Text == "" || !strings.Contains(string(received), d.Text) {
		return false
	}
	x.drain = true
	x.passes("answer has %s, which drains", reason.Quote(d.Text))
	return true
}

// endpoint is where the target is probed. standard is the port of the protocol, for a service that has none; 0: it has none.
func (x *exchange) endpoint(standard uint16) (netip.AddrPort, error) {
	to := x.target.Endpoint(standard)
	if to.Port() == 0 && x.target.Service == "" {
		return to, errors.New("no port to probe: name one")
	}
	if to.Port() == 0 {
		return to, fmt.Errorf("no port to probe: set port of service %q, or target.port of the monitor", x.target.Service)
	}
	return to, nil
}

// dial opens a connection over "tcp" or "udp" to the target, with the header of the PROXY protocol when the monitor wants one. Everything
// on it ends at the deadline; it is closed when the probe is over.
func (x *exchange) dial(network string, standard uint16) (net.Conn, error) {
	to, err := x.endpoint(standard)
	if err != nil {
		return nil, err
	}
	conn, err := x.connect(network, to)
	if err != nil {
		return nil, reason.During(reason.Connect, err)
	}
	// A wait on the connection has no other way to learn that ctx ended, be it by time or by cancellation.
	stop := context.AfterFunc(x.ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	x.closing(func() { stop(); conn.Close() })
	if network == "tcp" {
		if x.traced {
			x.step("connect", to.String())
		}
		if err := x.introduce(conn); err != nil {
			return nil, err
		}
	}
	return conn, nil
}

func (x *exchange) connect(network string, to netip.AddrPort) (net.Conn, error) {
	if network == "tcp" && x.opts.Connect != nil {
		return x.opts.Connect(x.ctx, to, x.deadline)
	}
	return x.opts.DialContext(x.ctx, network, to.String())
}

// secure puts TLS on a connection. host is the name that is asked for and checked unless the document has one; empty: the address.
func (x *exchange) secure(conn net.Conn, host string, protocols ...string) (*tls.Conn, error) {
	cfg, err := x.opts.Trust.Config(&x.monitor.TLS, cmp.Or(host, x.target.Endpoint(0).Addr().WithZone("").String()), protocols...)
	if err != nil {
		return nil, err
	}
	secure, err := trust.Handshake(x.ctx, conn, cfg)
	if err != nil {
		return nil, err
	}
	state := secure.ConnectionState()
	x.step("tls", tls.VersionName(state.Version)+" "+state.NegotiatedProtocol)
	return secure, nil
}

// open is dial over TCP, with TLS from the start when the monitor's security is tls.
func (x *exchange) open(standard, standardTLS uint16) (net.Conn, error) {
	if x.monitor.Security != config.SecurityTLS {
		return x.dial("tcp", standard)
	}
	conn, err := x.dial("tcp", standardTLS)
	if err != nil {
		return nil, err
	}
	return x.secure(conn, "")
}

// login returns who logs in; both are empty when the monitor names nobody.
func (x *exchange) login() (user, password string, err error) {
	l := x.monitor.Login
	if l == nil {
		return "", "", nil
	}
	password, err = x.secret("login.password", l.Password)
	return l.User, password, err
}

// secret reads a secret; an absent one is empty. key is its place in the monitor.
func (x *exchange) secret(key string, s config.Secret) (string, error) {
	if s == "" {
		return "", nil
	}
	value, err := x.opts.Secret(s)
	if err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	x.hide(value)
	return value, nil
}

// hide has a secret, as it is sent, shown nowhere: some servers repeat the command that they do not take, its arguments included.
func (x *exchange) hide(secret string) {
	if secret == "" {
		return
	}
	x.hidden = append(x.hidden, secret)
	if quoted := strconv.Quote(secret); quoted != `"`+secret+`"` { // as it reads where a server is quoted
		x.hidden = append(x.hidden, quoted[1:len(quoted)-1])
	}
	slices.SortFunc(x.hidden, func(a, b string) int { return len(b) - len(a) }) // what has another in it goes first
}

// veiled is what a server said without the secrets that it was told. It is called before anything is cut off.
func (x *exchange) veiled(text string) string {
	for _, secret := range x.hidden {
		text = strings.ReplaceAll(text, secret, "***")
	}
	return text
}

// veil is an error in whose words a server may have its part, without the secrets that it was told. What it wraps stays.
func (x *exchange) veil(err error) error {
	if err == nil || len(x.hidden) == 0 {
		return err
	}
	if text := x.veiled(err.Error()); text != err.Error() {
		return &veiledError{text, err}
	}
	return err
}

// veiledError is an error in other words.
type veiledError struct {
	text string
	err  error
}

func (e *veiledError) Error() string { return e.text }
func (e *veiledError) Unwrap() error { return e.err }

// closing has something done when the probe is over, last first.
func (x *exchange) closing(f func()) { x.closes = append(x.closes, f) }

func (x *exchange) close() {
	for _, f := range slices.Backward(x.closes) {
		f()
	}
	x.givePacket()
}
