package probe

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"strings"

	"fairlead/config"
	"fairlead/monitors/reason"
)

// mysqlPort is that of MySQL and MariaDB, with TLS and without.
const mysqlPort = 3306

// askMySQL waits for the greeting of a MySQL or MariaDB server, logs in when the monitor has a login, and asks what the document says.
// The protocol is written out here: a driver allocates what a server's counts tell it to, and panics on short packets.
func (x *exchange) askMySQL() error {
	user, password, err := x.login()
	if err != nil {
		return err
	}
	conn, err := x.dial("tcp", mysqlPort)
	if err != nil {
		return err
	}
	m := &mysqlTalk{x: x, conn: conn, frames: newFrames(conn)}
	hello, err := m.greeting()
	if err != nil || x.drain {
		return err
	}
	p := config.SectionOf(x.monitor.MySQL)
	if err := m.encrypt(hello); err != nil {
		return err
	}
	if x.monitor.Login == nil {
		x.passes("%s", hello.version)
		return nil
	}
	if err := m.login(hello, user, password, p.Database); err != nil || x.drain {
		return err
	}
	x.step("login", user)
	x.passes("logged in to %s", hello.version)
	defer m.quit()
	return x.judgeSQL(p, "SELECT @@global.read_only", mysqlReadOnly, m.query)
}

// mysqlReadOnly reads @@global.read_only: 0 and 1, and words in MariaDB 12.
func mysqlReadOnly(c cell) (bool, error) {
	switch strings.ToUpper(c.text) {
	case "0", "OFF":
		return false, nil
	case "1", "ON", "NO_LOCK", "NO_LOCK_NO_ADMIN":
		return true, nil
	}
	return false, fmt.Errorf("@@global.read_only is %s", c)
}

// mysqlTalk is a conversation with a server. Each packet has a number, which begins anew with each command.
type mysqlTalk struct {
	x      *exchange
	conn   net.Conn
	frames *frames
	number byte
}

// Capabilities of a client (MySQL's "Capabilities Flags"). None that sends several statements, or files.
const (
	mysqlLongPassword = 1 << 0
	mysqlLongFlag     = 1 << 2
	mysqlWithDatabase = 1 << 3
	mysqlProtocol41   = 1 << 9
	mysqlTLS          = 1 << 11
	mysqlTransactions = 1 << 13
	mysqlSecure       = 1 << 15
	mysqlPluginAuth   = 1 << 19

	mysqlUTF8MB4 = 45 // utf8mb4_general_ci
)

// receive reads the next packet.
func (m *mysqlTalk) receive(stage reason.Stage) ([]byte, error) {
	var head [4]byte
	body, err := m.frames.read(head[:], func() (int, error) {
		m.x.answered()
		return int(head[0]) | int(head[1])<<8 | int(head[2])<<16, nil
	})
	if err == nil && len(body) == 0 {
		err = errMalformed
	}
	m.number = head[3] + 1
	return body, reason.During(stage, err)
}

// send sends a packet as the answer to the last one; first begins a command.
func (m *mysqlTalk) send(first bool, body []byte) error {
	if first {
		m.number = 0
	}
	n := len(body)
	packet := append([]byte{byte(n), byte(n >> 8), byte(n >> 16), m.number}, body...)
	m.number++
	_, err := m.conn.Write(packet)
	return err
}

// quit ends the session in a way that the server does not count as an aborted one.
func (m *mysqlTalk) quit() { _ = m.send(true, []byte{1}) }

// mysqlGreeting is what a server says first.
type mysqlGreeting struct {
	version      string
	capabilities uint32
	challenge    []byte
	plugin       string
}

// greeting reads the initial handshake (protocol 10), or the error that stands in its place.
func (m *mysqlTalk) greeting() (*mysqlGreeting, error) {
	packet, err := m.receive(reason.Greeting)
	if err != nil || m.x.text(packet) {
		return nil, err
	}
	if packet[0] == mysqlError {
		return nil, m.failure(packet)
	}
	hello, err := parseMySQLGreeting(packet)
	if err == nil {
		m.x.step("greeting", hello.version)
	}
	return hello, err
}

func parseMySQLGreeting(packet []byte) (*mysqlGreeting, error) {
	if packet[0] != 10 || bytes.IndexByte(packet, 0) < 0 {
		return nil, fmt.Errorf("greeting is not MySQL's: %s", reason.Quote(string(packet)))
	}
	o := octets{rest: packet[1:]}
	g := &mysqlGreeting{version: o.text()}
	o.take(4) // thread
	first := o.take(8)
	o.take(1)
	low := binary.LittleEndian.Uint16(o.take(2))
	o.take(3) // character set, status
	g.capabilities = uint32(low) | uint32(binary.LittleEndian.Uint16(o.take(2)))<<16
	length := int(o.byte())
	o.take(10)
	second := o.take(max(13, length-8))
	if o.short || g.capabilities&mysqlProtocol41 == 0 {
		return nil, fmt.Errorf("greeting is malformed: %w", errMalformed)
	}
	g.challenge = append(append(g.challenge, first...), second[:12]...)
	g.plugin = o.text()
	if !strings.Contains(g.version, "MariaDB") {
		g.version = "MySQL " + g.version
	}
	g.version = strings.TrimPrefix(g.version, "5.5.5-") // which MariaDB puts before its own for old clients
	return g, nil
}

// encrypt puts TLS on the connection when the monitor wants it.
func (m *mysqlTalk) encrypt(hello *mysqlGreeting) error {
	if m.x.monitor.Security != config.SecurityTLS {
		return nil
	}
	if hello.capabilities&mysqlTLS == 0 {
		return unlike("server offers no TLS")
	}
	if err := m.send(false, m.preamble(0)); err != nil {
		return reason.During(reason.TLS, err)
	}
	secure, err := m.x.secure(m.conn, "")
	if err != nil {
		return err
	}
	m.conn, m.frames.r = secure, secure
	return nil
}

// preamble is the head of the client's handshake, and the whole of a request for TLS.
func (m *mysqlTalk) preamble(more uint32) []byte {
	flags := more | mysqlLongPassword | mysqlLongFlag | mysqlProtocol41 | mysqlTransactions | mysqlSecure | mysqlPluginAuth
	if m.x.monitor.Security == config.SecurityTLS {
		flags |= mysqlTLS
	}
	b := binary.LittleEndian.AppendUint32(nil, flags)
	b = binary.LittleEndian.AppendUint32(b, maxDatabaseMessage)
	b = append(b, mysqlUTF8MB4)
	return append(b, make([]byte, 23)...)
}

// First octets of packets.
const (
	mysqlOK    = 0x00
	mysqlMore  = 0x01 // of a login
	mysqlFile  = 0xFB // asks for a file of ours
	mysqlEOF   = 0xFE // also asks for another way to log in
	mysqlError = 0xFF
)

// failure is the error that a packet tells.
func (m *mysqlTalk) failure(packet []byte) error {
	o := octets{rest: packet[1:]}
	code := binary.LittleEndian.Uint16(o.take(2))
	if o.short {
		return errMalformed
	}
	text := string(o.rest)
	if len(text) >= 6 && text[0] == '#' {
		text = text[6:]
	}
	if m.x.text([]byte(text)) {
		return nil
	}
	return unlike("server says %d: %s", code, m.x.veiled(text))
}
