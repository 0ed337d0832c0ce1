//go:build integration

package servers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"fairlead/internal/testkit/loopback"
)

// postgresBin returns the directory of the newest PostgreSQL's programs.
func postgresBin(t *testing.T) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) == 0 {
		t.Skip("needs postgres: none in /usr/lib/postgresql")
	}
	return filepath.Dir(found[len(found)-1])
}

// owned is a directory that belongs to a user.
func owned(t *testing.T, who *syscall.Credential) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "fairlead-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chown(dir, int(who.Uid), int(who.Gid)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// postgresConf is small and quick: what is lost in a crash does not matter.
const postgresConf = `
listen_addresses = '127.0.0.1'
max_connections = 8
shared_buffers = 1MB
fsync = off
max_wal_senders = 2
ssl = on
ssl_cert_file = 'cert.pem'
ssl_key_file = 'key.pem'
`

// cluster is a directory of databases that are served by one server.
type cluster struct {
	t        *testing.T
	bin, dir string
	who      *syscall.Credential
}

// run runs one of PostgreSQL's programs.
func (c *cluster) run(input, program string, args ...string) {
	c.t.Helper()
	cmd := exec.Command(c.bin+"/"+program, args...)
	cmd.Dir, cmd.SysProcAttr = c.dir, &syscall.SysProcAttr{Credential: c.who}
	cmd.Env = []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH")}
	cmd.Stdin = strings.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("%s: %v\n%s", program, err, out)
	}
}

// own gives files to the server's user.
func (c *cluster) own(paths ...string) {
	c.t.Helper()
	for _, path := range paths {
		if err := os.Chown(path, int(c.who.Uid), int(c.who.Gid)); err != nil {
			c.t.Fatal(err)
		}
	}
}

// primary makes a cluster with its users and starts its server.
func (c *cluster) primary(port int) *server {
	t, data := c.t, c.dir+"/data"
	t.Helper()
	c.run("", "initdb", "-D", data, "-U", "fairlead", "-N", "--auth=trust", "--encoding=UTF8")
	cert, key := certificate(t, data)
	c.own(cert, key, file(t, data, "postgresql.auto.conf", postgresConf+fmt.Sprintf("port = %d\nunix_socket_directories = '%s'\n", port, c.dir)))
	c.run("ALTER USER fairlead PASSWORD 'correct horse'\nSET password_encryption = 'md5'; CREATE USER old PASSWORD 'correct horse'\n", "postgres", "--single", "-D", data, "postgres")
	c.own(file(t, data, "pg_hba.conf", "local all all trust\nhost replication fairlead 127.0.0.1/32 trust\nhost all fairlead 127.0.0.1/32 scram-sha-256\n"+
		"host all old 127.0.0.1/32 md5\nhost all clear 127.0.0.1/32 password\n"))
	s := start(t, launch{dir: c.dir, user: "nobody"}, c.bin+"/postgres", "-D", data)
	s.listening(onLoopback(port))
	return s
}

// TestPostgres: postgres probes of a real primary and of its standby.
func TestPostgres(t *testing.T) {
	t.Parallel()
	bin, who := postgresBin(t), credential(t, "nobody")
	c := &cluster{t: t, bin: bin, dir: owned(t, who), who: who}
	port, secretsDir := loopback.Port(t), t.TempDir()
	good, bad := file(t, secretsDir, "good", "correct horse\n"), file(t, secretsDir, "bad", "battery\n")
	s, to := c.primary(port), onLoopback(port)
	login := fmt.Sprintf("login: {user: fairlead, password: \"file:%s\"}, postgres: {database: postgres", good)

	s.until("takes queries", func() error {
		if r := probing(t, `{type: postgres, `+login+`}}`, to); !r.OK {
			return fmt.Errorf("%s", r.Reason)
		}
		return nil
	})
	passes(t, `{type: postgres}`, to, "takes logins")
	passes(t, `{type: postgres, `+login+`}}`, to, "logged in to PostgreSQL")
	fails(t, fmt.Sprintf(`{type: postgres, login: {user: fairlead, password: "file:%s"}, postgres: {database: postgres}}`, bad), to, `server says 28P01: password authentication failed`)
	fails(t, `{type: postgres, login: {user: stranger}}`, to, "server says 28000: no pg_hba.conf entry")
	passes(t, fmt.Sprintf(`{type: postgres, login: {user: old, password: "file:%s"}, postgres: {database: postgres, query: "SELECT current_user", expect: old}}`, good), to, `query gave "old"`)
	fails(t, fmt.Sprintf(`{type: postgres, login: {user: clear, password: "file:%s"}}`, good), to, "in the clear, which needs security: tls")
	passes(t, `{type: postgres, `+login+`, query: "SELECT 6 * 7, 'x'", expect: "42"}}`, to, `query gave "42"`)
	fails(t, `{type: postgres, `+login+`, query: "SELECT 6 * 8", expect: "42"}}`, to, `query gave "48", want "42"`)
	passes(t, `{type: postgres, `+login+`, query: "SELECT NULL"}}`, to, `query gave NULL`)
	passes(t, `{type: postgres, `+login+`, query: "SELECT 1 WHERE false"}}`, to, `query gave no row`)
	passes(t, `{type: postgres, `+login+`, query: "SELECT generate_series(1, 100000000)"}}`, to, `query gave "1"`)
	fails(t, `{type: postgres, `+login+`, query: "SELECT repeat('x', 10000000)"}}`, to, "message of 10000006 bytes, above 64 KiB")
	fails(t, `{type: postgres, `+login+`, query: "SELECT * FROM nowhere"}}`, to, "server says 42P01")
	fails(t, `{type: postgres, timeout: 1s, `+login+`, query: "SELECT pg_sleep(30)"}}`, to, "timed out after 1s waiting for the result of the query")
	fails(t, `{type: postgres, `+login+`, query: "COPY pg_class TO STDOUT"}}`, to, "copies")
	passes(t, `{type: postgres, security: tls, tls: {verify: false}, `+login+`, query: "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", expect: t}}`, to, "query gave")
	fails(t, `{type: postgres, security: tls}`, to, "certificate")
	passes(t, `{type: postgres, `+login+`, role: primary}}`, to, "primary")
	fails(t, `{type: postgres, `+login+`, role: replica}}`, to, "takes writes, want a replica")

	standbyPort, standby := loopback.Port(t), c.dir+"/standby"
	c.run("", "pg_basebackup", "-D", standby, "-R", "-c", "fast", "-X", "stream", "-h", "127.0.0.1", "-p", fmt.Sprint(port), "-U", "fairlead")
	s2 := start(t, launch{dir: c.dir, user: "nobody"}, bin+"/postgres", "-D", standby, "-p", fmt.Sprint(standbyPort))
	to2 := onLoopback(standbyPort)
	s2.until("takes logins", func() error {
		if r := probing(t, `{type: postgres, `+login+`}}`, to2); !r.OK {
			return fmt.Errorf("%s", r.Reason)
		}
		return nil
	})
	passes(t, `{type: postgres, `+login+`, role: replica}}`, to2, "replica")
	fails(t, `{type: postgres, `+login+`, role: primary}}`, to2, "takes no writes, want a primary")

	s.freeze()
	fails(t, `{type: postgres, timeout: 500ms, `+login+`}}`, to, "timed out after 500ms")
	s.stop()
	fails(t, `{type: postgres}`, to, "tcp connect refused")
}
