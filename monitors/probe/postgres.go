package probe

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"

	"fairlead/config"
	"fairlead/monitors/reason"
)

// postgresPort is that of PostgreSQL, with TLS and without.
const postgresPort = 5432

// Numbers that stand where a version does (PostgreSQL's "Message Formats").
const (
	postgresVersion = 3 << 16
	postgresTLS     = 1234<<16 | 5679
)

// nobody is who a probe without a login begins a session as. It goes no further than the server's first answer.
const nobody = "fairlead"

// askPostgres begins a session, logs in when the monitor has a login, and asks what the document says. Without a login any answer to the
// begin of a session passes, unless the server says that it takes none: as pg_isready has it. The protocol is written out here: a
// probe needs little of it, and a driver looks for settings and passwords in the environment and starts goroutines.
func (x *exchange) askPostgres() error {
	user, password, err := x.login()
	if err != nil {
		return err
	}
	conn, err := x.dial("tcp", postgresPort)
	if err != nil {
		return err
	}
	if x.monitor.Security == config.SecurityTLS {
		if conn, err = x.postgresTLS(conn); err != nil {
			return err
		}
	}
	p := config.SectionOf(x.monitor.Postgres)
	g := &postgresTalk{x: x, conn: conn, frames: newFrames(conn)}
	if x.monitor.Login == nil {
		return g.alive()
	}
	if err := g.begin(user, p.Database); err != nil {
		return err
	}
	if err := g.login(password); err != nil || x.drain {
		return err
	}
	x.step("login", user)
	x.passes("logged in to PostgreSQL %s", x.veiled(g.version))
	defer g.end()
	return x.judgeSQL(p, "SELECT pg_is_in_recovery()", postgresInRecovery, g.query)
}

func postgresInRecovery(c cell) (bool, error) {
	switch c.text {
	case "f":
		return false, nil
	case "t":
		return true, nil
	}
	return false, fmt.Errorf("pg_is_in_recovery() is %s", c)
}

// postgresTLS asks for TLS, and puts it on the connection.
func (x *exchange) postgresTLS(conn net.Conn) (net.Conn, error) {
	request := binary.BigEndian.AppendUint32(nil, 8)
	request = binary.BigEndian.AppendUint32(request, postgresTLS)
	if _, err := conn.Write(request); err != nil {
		return nil, reason.During(reason.TLS, err)
	}
	var answer [1]byte // no more than it is read before TLS: what came in the clear must not count as encrypted
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return nil, reason.During(reason.Answer, err)
	}
	x.answered()
	switch answer[0] {
	case 'S':
		return x.secure(conn, "")
	case 'N':
		return nil, unlike("server offers no TLS")
	}
	return nil, fmt.Errorf("answer is not PostgreSQL's: %s", reason.Quote(string(answer[:])))
}

// postgresTalk is a conversation with a server.
type postgresTalk struct {
	x       *exchange
	conn    net.Conn
	frames  *frames
	version string
}

// begin sends the first message of a session.
func (g *postgresTalk) begin(user, database string) error {
	b := binary.BigEndian.AppendUint32(make([]byte, 4), postgresVersion)
	for _, pair := range [][2]string{{"user", user}, {"database", database}, {"application_name", "fairlead"}, {"client_encoding", "UTF8"}} {
		if pair[1] != "" {
			b = append(append(append(append(b, pair[0]...), 0), pair[1]...), 0)
		}
	}
	b = append(b, 0)
	binary.BigEndian.PutUint32(b, uint32(len(b)))
	_, err := g.conn.Write(b)
	return reason.During(reason.Answer, err)
}

// send sends a message.
func (g *postgresTalk) send(kind byte, body []byte) error {
	b := binary.BigEndian.AppendUint32([]byte{kind}, uint32(4+len(body)))
	_, err := g.conn.Write(append(b, body...))
	return err
}

// end ends the session in order.
func (g *postgresTalk) end() { _ = g.send('X', nil) }

// receive reads the next message that says something here: notices and settings are passed over.
func (g *postgresTalk) receive(stage reason.Stage) (kind byte, body []byte, err error) {
	for {
		var head [5]byte
		body, err := g.frames.read(head[:], func() (int, error) {
			g.x.answered()
			n := int32(binary.BigEndian.Uint32(head[1:]))
			if n < 4 || !strings.ContainsRune(postgresKinds, rune(head[0])) {
				return 0, fmt.Errorf("answer is not PostgreSQL's: %s", reason.Quote(string(head[:])))
			}
			return int(n) - 4, nil
		})
		if err != nil {
			return 0, nil, reason.During(stage, err)
		}
		switch head[0] {
		case 'S': // a setting
			o := octets{rest: body}
			if o.text() == "server_version" {
				g.version = o.text()
			}
		case 'N', 'K', 'A':
		default:
			return head[0], body, nil
		}
	}
}

// postgresKinds are the messages that a server may send to what is sent here.
const postgresKinds = "RSNKAZETDCIvGHW"

// alive looks at the first answer to the begin of a session.
func (g *postgresTalk) alive() error {
	if err := g.begin(nobody, "postgres"); err != nil {
		return err
	}
	kind, body, err := g.receive(reason.Answer)
	if err != nil {
		return err
	}
	switch kind {
	case 'R':
		g.x.passes("takes logins")
		return nil
	case 'E':
		state, text := parsePostgresError(body)
		if g.x.text([]byte(text)) {
			return nil
		}
		if turnsAway(state) {
			return unlike("server says %s: %s", state, text)
		}
		g.x.passes("takes logins")
		return nil
	}
	return errMalformed
}

// turnsAway says that an error means: no session now, whoever asks. They are the classes of connections (08), of resources (53), of
// an operator's hand (57: starting, shutting down), and of the system (58, XX).
func turnsAway(state string) bool {
	if len(state) != 5 {
		return true
	}
	switch state[:2] {
	case "08", "53", "57", "58", "XX":
		return true
	}
	return false
}

// failure is the error that a message tells.
func (g *postgresTalk) failure(body []byte) error {
	state, text := parsePostgresError(body)
	if g.x.text([]byte(text)) {
		return nil
	}
	return unlike("server says %s: %s", state, g.x.veiled(text))
}

// parsePostgresError returns the SQLSTATE and the text of an error.
func parsePostgresError(body []byte) (state, text string) {
	o := octets{rest: body}
	for len(o.rest) > 0 {
		switch kind := o.byte(); kind {
		case 0:
			return state, text
		case 'C':
			state = o.text()
		case 'M':
			text = o.text()
		default:
			o.text()
		}
	}
	return state, text
}

// query runs a statement and returns the first column of its first row.
func (g *postgresTalk) query(statement string) (cell, error) {
	g.frames.count = 0
	if err := g.send('Q', append([]byte(statement), 0)); err != nil {
		return cell{}, err
	}
	got := cell{none: true}
	for {
		kind, body, err := g.receive(querying)
		switch {
		case err != nil && !got.none: // a long result: the first row is known
			g.conn.Close()
			return got, nil
		case err != nil:
			return cell{}, err
		case kind == 'E':
			return cell{}, g.failure(body)
		case kind == 'D' && got.none:
			if got, err = postgresFirst(body); err != nil || g.x.text([]byte(got.text)) {
				return got, err
			}
			g.frames.count = max(g.frames.count, maxDatabaseMessages-maxPostgresRest)
		case kind == 'Z':
			return got, nil
		case kind == 'G' || kind == 'H' || kind == 'W':
			return cell{}, fmt.Errorf("the query copies, which a probe does not")
		}
	}
}

// maxPostgresRest is how many messages after the first row are read, so that the session can be ended in order.
const maxPostgresRest = 16

// postgresFirst reads the first column of a row.
func postgresFirst(body []byte) (cell, error) {
	o := octets{rest: body}
	columns := binary.BigEndian.Uint16(o.take(2))
	if columns == 0 && !o.short {
		return cell{}, nil
	}
	n := int32(binary.BigEndian.Uint32(o.take(4)))
	if !o.short && n == -1 {
		return cell{null: true}, nil
	}
	text := o.take(int(n))
	if o.short {
		return cell{}, fmt.Errorf("row: %w", errMalformed)
	}
	return cell{text: string(text)}, nil
}
