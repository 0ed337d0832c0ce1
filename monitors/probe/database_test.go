package probe

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/config"
)

// mysqlPacket is a packet with a number.
func mysqlPacket(number byte, body string) string {
	n := len(body)
	return string([]byte{byte(n), byte(n >> 8), byte(n >> 16), number}) + body
}

// mysqlHello is the greeting of a server.
func mysqlHello(version, plugin string, capabilities uint32) string {
	b := append([]byte{10}, version...)
	b = append(b, 0, 1, 0, 0, 0)
	b = append(b, "abcdefgh\x00"...)
	b = binary.LittleEndian.AppendUint16(b, uint16(capabilities))
	b = append(b, mysqlUTF8MB4, 2, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(capabilities>>16))
	b = append(b, 21)
	b = append(b, make([]byte, 10)...)
	b = append(b, "ijklmnopqrst\x00"...)
	return string(append(append(b, plugin...), 0))
}

const (
	mysqlCan  = mysqlProtocol41 | mysqlPluginAuth | mysqlSecure
	mysqlDone = "\x00\x00\x00\x02\x00\x00\x00"
	mysqlEnd  = "\xFE\x00\x00\x02\x00"
)

// mysqlSaid is what a server says to a login and, when there are rows, to a query of one column.
func mysqlSaid(plugin string, rows ...string) string {
	out := mysqlPacket(0, mysqlHello("8.0.36", plugin, mysqlCan)) + mysqlPacket(2, mysqlDone)
	if rows == nil {
		return out
	}
	out += mysqlPacket(1, "\x01") + mysqlPacket(2, "\x03def") + mysqlPacket(3, mysqlEnd)
	number := byte(4)
	for _, row := range rows {
		out += mysqlPacket(number, row)
		number++
	}
	return out + mysqlPacket(number, mysqlEnd)
}

func postgresMessage(kind byte, body string) string {
	return string(binary.BigEndian.AppendUint32([]byte{kind}, uint32(4+len(body)))) + body
}

func postgresRow(text string) string {
	b := binary.BigEndian.AppendUint32([]byte{0, 1}, uint32(len(text)))
	return postgresMessage('D', string(b)+text)
}

func postgresFailure(state, text string) string {
	return postgresMessage('E', "SFATAL\x00C"+state+"\x00M"+text+"\x00\x00")
}

const postgresIn = "R\x00\x00\x00\x08\x00\x00\x00\x00S\x00\x00\x00\x18server_version\x0016.2\x00Z\x00\x00\x00\x05I"

func TestDatabaseAnswers(t *testing.T) {
	sql := func(p config.SQLProbe) func(*config.Monitor) {
		return func(m *config.Monitor) { m.MySQL, m.Postgres, m.Login = &p, &p, somebody }
	}
	login := func(m *config.Monitor) { m.Login = somebody }
	tests := []struct {
		name   string
		kind   config.MonitorType
		with   func(*config.Monitor)
		answer string
		ok     bool
		want   string
	}{
		{"mysql: greeting", config.MonitorMySQL, nil, mysqlPacket(0, mysqlHello("8.0.36", mysqlCaching, mysqlCan)), true, "MySQL 8.0.36"},
		{"mysql: greeting of MariaDB", config.MonitorMySQL, nil, mysqlPacket(0, mysqlHello("5.5.5-10.11.6-MariaDB", mysqlNative, mysqlCan)), true, "10.11.6-MariaDB"},
		{"mysql: turned away", config.MonitorMySQL, nil, mysqlPacket(0, "\xFF\x10\x04Too many connections"), false, "server says 1040: Too many connections"},
		{"mysql: an error of one octet", config.MonitorMySQL, nil, mysqlPacket(0, "\xFF"), false, "answer is malformed"},
		{"mysql: old protocol", config.MonitorMySQL, nil, mysqlPacket(0, "\x093.23\x00"), false, "greeting is not MySQL's"},
		{"mysql: short greeting", config.MonitorMySQL, nil, mysqlPacket(0, "\x0a8.0\x00abc"), false, "greeting is malformed"},
		{"mysql: HTTP", config.MonitorMySQL, nil, "HTTP/1.1 400 Bad Request\r\n\r\n", false, "message of 5526600 bytes, above 64 KiB"},
		{"mysql: closed", config.MonitorMySQL, nil, "", false, "connection closed waiting for the greeting"},
		{"mysql: empty packet", config.MonitorMySQL, nil, "\x00\x00\x00\x00", false, "answer is malformed"},
		{"mysql: truncated", config.MonitorMySQL, nil, mysqlPacket(0, mysqlHello("8.0", "", mysqlCan))[:30], false, "connection closed waiting for the greeting"},
		{"mysql: no TLS", config.MonitorMySQL, func(m *config.Monitor) { m.Security = config.SecurityTLS }, mysqlSaid(mysqlNative), false, "server offers no TLS"},
		{"mysql: logged in", config.MonitorMySQL, login, mysqlSaid(mysqlNative), true, "logged in to MySQL 8.0.36"},
		{"mysql: fast way", config.MonitorMySQL, login, mysqlPacket(0, mysqlHello("8.0", mysqlCaching, mysqlCan)) + mysqlPacket(2, "\x01\x03") + mysqlPacket(3, mysqlDone), true, "logged in to MySQL 8.0"},
		{"mysql: full way without TLS", config.MonitorMySQL, login, mysqlPacket(0, mysqlHello("8.0", mysqlCaching, mysqlCan)) + mysqlPacket(2, "\x01\x04"), false,
			"the first login with caching_sha2_password since the server started needs security: tls"},
		{"mysql: another way", config.MonitorMySQL, login, mysqlPacket(0, mysqlHello("8.0", mysqlCaching, mysqlCan)) +
			mysqlPacket(2, "\xFE"+mysqlNative+"\x00abcdefghijklmnopqrst\x00") + mysqlPacket(4, mysqlDone), true, "logged in"},
		{"mysql: an unknown way", config.MonitorMySQL, login, mysqlPacket(0, mysqlHello("11.4-MariaDB", mysqlNative, mysqlCan)) + mysqlPacket(2, "\xFEclient_ed25519\x00abc"), false,
			`this user logs in with "client_ed25519": give the monitor's user mysql_native_password or caching_sha2_password`},
		{"mysql: in the clear", config.MonitorMySQL, login, mysqlPacket(0, mysqlHello("8.0", mysqlNative, mysqlCan)) + mysqlPacket(2, "\xFE"+mysqlClear+"\x00"), false,
			"this user logs in with mysql_clear_password, which needs security: tls"},
		{"mysql: before 4.1", config.MonitorMySQL, login, mysqlPacket(0, mysqlHello("5.5", mysqlNative, mysqlCan)) + mysqlPacket(2, "\xFE"), false, "server asks for passwords of MySQL before 4.1"},
		{"mysql: asks for ever", config.MonitorMySQL, login, mysqlPacket(0, mysqlHello("8.0", mysqlNative, mysqlCan)) + strings.Repeat(mysqlPacket(2, "\xFE"+mysqlNative+"\x00abc\x00"), 20), false,
			"server asks for more than 8 proofs"},
		{"mysql: result", config.MonitorMySQL, sql(config.SQLProbe{Query: "SELECT 42", Expect: "42"}), mysqlSaid(mysqlNative, "\x0242"), true, `query gave "42"`},
		{"mysql: NULL", config.MonitorMySQL, sql(config.SQLProbe{Query: "SELECT NULL", Expect: "42"}), mysqlSaid(mysqlNative, "\xFB"), false, `query gave NULL, want "42"`},
		{"mysql: no row", config.MonitorMySQL, sql(config.SQLProbe{Query: "SELECT 1"}), mysqlSaid(mysqlNative, []string{}...), true, "query gave no row"},
		{"mysql: a row that lies about its length", config.MonitorMySQL, sql(config.SQLProbe{Query: "SELECT 1"}), mysqlSaid(mysqlNative, "\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFFxx"), false, "row: answer is malformed"},
		{"mysql: a count of columns that is no number", config.MonitorMySQL, sql(config.SQLProbe{Query: "SELECT 1"}), mysqlSaid(mysqlNative) + mysqlPacket(1, "\xFE\x01"), false, "result: answer is malformed"},
		{"mysql: endless columns", config.MonitorMySQL, sql(config.SQLProbe{Query: "SELECT 1"}), mysqlSaid(mysqlNative) + mysqlPacket(1, "\xFC\xFF\xFF") + strings.Repeat(mysqlPacket(2, "\x03def"), 4096), false, "answer above 1024 KiB or 256 messages"},
		{"mysql: wants a file", config.MonitorMySQL, sql(config.SQLProbe{Query: "LOAD"}), mysqlSaid(mysqlNative) + mysqlPacket(1, "\xFB/etc/passwd"), false, "server asks for a file of this node, and gets none"},
		{"mysql: replica", config.MonitorMySQL, sql(config.SQLProbe{Role: config.SQLPrimary}), mysqlSaid(mysqlNative, "\x011"), false, "takes no writes, want a primary"},
		{"mysql: a role in a word", config.MonitorMySQL, sql(config.SQLProbe{Role: config.SQLPrimary}), mysqlSaid(mysqlNative, "\x03OFF"), true, "primary"},
		{"mysql: no such role", config.MonitorMySQL, sql(config.SQLProbe{Role: config.SQLPrimary}), mysqlSaid(mysqlNative, "\x05maybe"), false, `@@global.read_only is "maybe"`},

		{"postgres: asks for a password", config.MonitorPostgres, nil, postgresMessage('R', "\x00\x00\x00\x05salt"), true, "takes logins"},
		{"postgres: does not know the user", config.MonitorPostgres, nil, postgresFailure("28000", "no pg_hba.conf entry"), true, "takes logins"},
		{"postgres: starting", config.MonitorPostgres, nil, postgresFailure("57P03", "the database system is starting up"), false, "server says 57P03: the database system is starting up"},
		{"postgres: full", config.MonitorPostgres, nil, postgresFailure("53300", "sorry, too many clients already"), false, "server says 53300: sorry"},
		{"postgres: an error without a state", config.MonitorPostgres, nil, postgresMessage('E', "M"), false, "server says"},
		{"postgres: HTTP", config.MonitorPostgres, nil, "HTTP/1.1 400 Bad Request\r\n\r\n", false, "message of"},
		{"postgres: SSH", config.MonitorPostgres, nil, "\x01SH-2.0-OpenSSH\r\n", false, "answer is not PostgreSQL's"},
		{"postgres: closed", config.MonitorPostgres, nil, "R\x00\x00", false, "connection closed waiting for first byte"},
		{"postgres: a length below its own", config.MonitorPostgres, nil, "R\x00\x00\x00\x03", false, "answer is not PostgreSQL's"},
		{"postgres: a length of 2 GiB", config.MonitorPostgres, nil, "R\x7F\xFF\xFF\xFF", false, "message of 2147483643 bytes, above 64 KiB"},
		{"postgres: no TLS", config.MonitorPostgres, func(m *config.Monitor) { m.Security = config.SecurityTLS }, "N", false, "server offers no TLS"},
		{"postgres: logged in", config.MonitorPostgres, login, postgresIn, true, "logged in to PostgreSQL 16.2"},
		{"postgres: ready without a login", config.MonitorPostgres, login, "Z\x00\x00\x00\x05I", false, "answer is malformed"},
		{"postgres: in the clear", config.MonitorPostgres, login, postgresMessage('R', "\x00\x00\x00\x03"), false, "server asks for the password in the clear, which needs security: tls"},
		{"postgres: Kerberos", config.MonitorPostgres, login, postgresMessage('R', "\x00\x00\x00\x07"), false, "server asks for a login of kind 7"},
		{"postgres: unknown mechanisms", config.MonitorPostgres, login, postgresMessage('R', "\x00\x00\x00\x0aOAUTHBEARER\x00\x00"), false, "server offers no SCRAM-SHA-256"},
		{"postgres: SCRAM out of order", config.MonitorPostgres, login, postgresMessage('R', "\x00\x00\x00\x0br=x"), false, "answer is malformed"},
		{"postgres: SCRAM with another's nonce", config.MonitorPostgres, login, postgresMessage('R', "\x00\x00\x00\x0aSCRAM-SHA-256\x00\x00") + postgresMessage('R', "\x00\x00\x00\x0br=x,s=QQ==,i=1"), false, "answer is malformed"},
		{"postgres: SCRAM begun anew", config.MonitorPostgres, login, strings.Repeat(postgresMessage('R', "\x00\x00\x00\x0aSCRAM-SHA-256\x00\x00"), 2), false, "answer is malformed"},
		{"postgres: SCRAM left out", config.MonitorPostgres, login, postgresMessage('R', "\x00\x00\x00\x0aSCRAM-SHA-256\x00\x00") + postgresMessage('R', "\x00\x00\x00\x00"), false, "server did not prove that it knows the password"},
		{"postgres: result", config.MonitorPostgres, sql(config.SQLProbe{Query: "SELECT 42", Expect: "42"}), postgresIn + postgresMessage('T', "") + postgresRow("42") + postgresMessage('C', "SELECT 1\x00") + "Z\x00\x00\x00\x05I", true, `query gave "42"`},
		{"postgres: a row that lies about its length", config.MonitorPostgres, sql(config.SQLProbe{Query: "SELECT 42"}), postgresIn + postgresMessage('D', "\x00\x01\x7F\xFF\xFF\xFFxx"), false, "row: answer is malformed"},
		{"postgres: endless rows", config.MonitorPostgres, sql(config.SQLProbe{Query: "SELECT 42"}), postgresIn + strings.Repeat(postgresRow("1"), 5000), true, `query gave "1"`},
		{"postgres: endless notices", config.MonitorPostgres, sql(config.SQLProbe{Query: "SELECT 42"}), postgresIn + strings.Repeat(postgresMessage('N', "x"), 5000), false, "answer above 1024 KiB or 256 messages"},
		{"postgres: repeats the password", config.MonitorPostgres, sql(config.SQLProbe{Query: "SELECT 1", Expect: "1"}), postgresIn + postgresRow("a secret") + "Z\x00\x00\x00\x05I", false, `query gave "a ***", want "1"`},
		{"postgres: repeats the password where it is cut off", config.MonitorPostgres, sql(config.SQLProbe{Query: "SELECT 1", Expect: "1"}),
			postgresIn + postgresRow(strings.Repeat("x", 36)+"secret") + "Z\x00\x00\x00\x05I", false, `query gave "` + strings.Repeat("x", 36) + `***", want "1"`},
		{"postgres: repeats the password in place of the role", config.MonitorPostgres, sql(config.SQLProbe{Role: config.SQLReplica}),
			postgresIn + postgresRow(strings.Repeat("x", 36)+"secret") + "Z\x00\x00\x00\x05I", false, `pg_is_in_recovery() is "` + strings.Repeat("x", 36) + `***"`},
		{"postgres: names its release by the password", config.MonitorPostgres, login, strings.Replace(postgresIn, "\x18server_version\x0016.2", "\x1aserver_version\x00secret", 1), true, "logged in to PostgreSQL ***"},
		{"postgres: standby", config.MonitorPostgres, sql(config.SQLProbe{Role: config.SQLReplica}), postgresIn + postgresRow("t") + "Z\x00\x00\x00\x05I", true, "replica"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := serviceMonitor(tt.kind)
			if tt.with != nil {
				tt.with(&m)
			}
			got := keyring(canned([]byte(tt.answer)), "secret").Probe(context.Background(), target("db", "192.0.2.1:1", m))
			if got.OK != tt.ok || !strings.HasPrefix(got.Reason, tt.want) {
				t.Errorf("got %v %q, want %v %q", got.OK, got.Reason, tt.ok, tt.want)
			}
		})
	}
}

// TestDatabaseHostile: a server that hears and says nothing, drips, or talks for ever costs one timeout.
func TestDatabaseHostile(t *testing.T) {
	for _, kind := range []config.MonitorType{config.MonitorMySQL, config.MonitorPostgres, config.MonitorRedis} {
		for name, script := range map[string]string{"silent": "silent", "drips": "drip R\x00\x00\x01"} {
			t.Run(string(kind)+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := serviceMonitor(kind)
					m.Login = somebody
					began := time.Now()
					got := keyring(speaking(t, script), "secret").Probe(context.Background(), target("db", "192.0.2.1:1", m))
					if got.OK || !strings.HasPrefix(got.Reason, "timed out after 5s") || time.Since(began) > 5*time.Second {
						t.Errorf("got %v %q after %v, want a timeout of 5s", got.OK, got.Reason, time.Since(began))
					}
					time.Sleep(2 * time.Second) // until the server has noticed
				})
			})
		}
	}
}

// TestDatabaseEndless: what a server says in all is bounded, not only how many messages it is.
func TestDatabaseEndless(t *testing.T) {
	for kind, message := range map[config.MonitorType]string{
		config.MonitorPostgres: "N\x00\x00\xf0\x00" + strings.Repeat("x", 0xf000-4),
		config.MonitorMySQL:    mysqlPacket(2, "\x01"+strings.Repeat("x", 60<<10)),
	} {
		start := ""
		if kind == config.MonitorMySQL { // the columns of a result
			start = mysqlPacket(0, mysqlHello("8.0.36", mysqlNative, mysqlCan)) + mysqlPacket(2, "\x00")
		}
		m := serviceMonitor(kind)
		m.Login, m.MySQL = somebody, &config.SQLProbe{Query: "SELECT 1"}
		got := keyring(canned([]byte(start+strings.Repeat(message, 40))), "secret").Probe(context.Background(), target("db", "192.0.2.1:1", m))
		if got.OK || got.Reason != "answer above 1024 KiB or 256 messages" {
			t.Errorf("%s: got %v %q", kind, got.OK, got.Reason)
		}
	}
}

// speaking is a server that takes all that it is sent, besides what it says.
func speaking(t *testing.T, script string) DialFunc {
	return func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go io.Copy(io.Discard, far)
		say := func() { io.Copy(io.Discard, far) }
		if text, ok := strings.CutPrefix(script, "drip "); ok {
			say = func() {
				for i := 0; ; i++ {
					if _, err := far.Write([]byte{text[i%len(text)]}); err != nil {
						return
					}
					time.Sleep(time.Second)
				}
			}
		}
		go func() { say(); far.Close() }()
		return near, nil
	}
}

// TestSCRAM: the example of RFC 7677 section 3.
func TestSCRAM(t *testing.T) {
	const challenge = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
	begin := func() *scram {
		return &scram{nonce: "rOprNGfwEbeRWgbNEkqO", bare: "n=user,r=rOprNGfwEbeRWgbNEkqO"}
	}
	s := begin()
	got, err := s.prove(context.Background(), challenge, "pencil")
	const want = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
	if err != nil || string(got) != want {
		t.Fatalf("got %q, %v; want %q", got, err, want)
	}
	if err := s.check("v=" + base64.StdEncoding.EncodeToString(make([]byte, 32))); err == nil || s.proven {
		t.Error("a wrong signature of the server counts")
	}
	if err := s.check("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="); err != nil || !s.proven {
		t.Errorf("the server's signature: %v", err)
	}
	for _, bad := range []string{"", "r=rOprNGfwEbeRWgbNEkqO,s=QQ==,i=1", "r=rOprNGfwEbeRWgbNEkqOx,s=,i=1", "r=rOprNGfwEbeRWgbNEkqOx,s=QQ==,i=0", "r=rOprNGfwEbeRWgbNEkqOx,s=QQ==,i=99999999",
		"m=x,r=rOprNGfwEbeRWgbNEkqOx,s=QQ==,i=1", "r=anotherNonceThatIsLonger,s=QQ==,i=1"} {
		if _, err := begin().prove(context.Background(), bad, "pencil"); err == nil {
			t.Errorf("challenge %q is answered", bad)
		}
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := saltPassword(ended, "pencil", []byte("salt"), maxSCRAMRounds); err == nil {
		t.Error("reckons on after its context ended")
	}
}

// TestMySQLProofs: what other clients send for the same challenge.
func TestMySQLProofs(t *testing.T) {
	challenge := []byte{10, 47, 74, 111, 75, 73, 34, 48, 88, 76, 114, 74, 37, 13, 3, 80, 82, 2, 23, 21}
	if got := hex.EncodeToString(mysqlCachingProof(challenge, "secret")); got != "f490e76f66d9d86665ce54d98c78d0acfe2fb0b08b423da807144873d30b312c" {
		t.Errorf("%s: %s", mysqlCaching, got)
	}
}

func FuzzMySQL(f *testing.F) {
	f.Add(mysqlSaid(mysqlNative, "\x0242"))
	f.Add(mysqlPacket(0, mysqlHello("8.0", mysqlCaching, mysqlCan)) + mysqlPacket(2, "\x01\x03") + mysqlPacket(3, mysqlDone))
	f.Add(mysqlPacket(0, "\xFF\x10\x04#08004Too many connections"))
	fuzzDatabase(f, config.MonitorMySQL)
}

func FuzzPostgres(f *testing.F) {
	f.Add(postgresIn + postgresRow("42"))
	f.Add(postgresMessage('R', "\x00\x00\x00\x0aSCRAM-SHA-256\x00\x00") + postgresMessage('R', "\x00\x00\x00\x0br=x,s=QQ==,i=1"))
	f.Add(postgresFailure("57P03", "starting"))
	fuzzDatabase(f, config.MonitorPostgres)
}

// fuzzDatabase: whatever a server says, the probe ends with a reason.
func fuzzDatabase(f *testing.F, kind config.MonitorType) {
	f.Fuzz(func(t *testing.T, answer string) {
		p := &config.SQLProbe{Query: "SELECT 1", Expect: "42", Role: config.SQLPrimary}
		for _, role := range []config.SQLRole{config.SQLAny, config.SQLPrimary} {
			p.Role = role
			m := serviceMonitor(kind)
			m.Login, m.MySQL, m.Postgres = somebody, p, p
			got := keyring(canned([]byte(answer)), "secret").Probe(context.Background(), target("db", "192.0.2.1:1", m))
			if got.Reason == "" || len(got.Reason) > 1000 || got.OK && !strings.Contains(answer, "42") {
				t.Errorf("%s: %v %q", role, got.OK, got.Reason)
			}
			m.Login = nil
			if got := keyring(canned([]byte(answer)), "").Probe(context.Background(), target("db", "192.0.2.1:1", m)); got.Reason == "" {
				t.Error("no reason")
			}
		}
	})
}

func TestCellString(t *testing.T) {
	for want, c := range map[string]cell{"no row": {none: true}, "NULL": {null: true}, `"a\nb"`: {text: "a\nb"}, fmt.Sprintf("%q...", strings.Repeat("x", maxSQLShown)): {text: strings.Repeat("x", 50)}} {
		if c.String() != want {
			t.Errorf("got %s, want %s", c, want)
		}
	}
}
