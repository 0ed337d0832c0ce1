//go:build integration

package servers

import (
	"fmt"
	"os/exec"
	"testing"

	"fairlead/internal/testkit/loopback"
)

// TestMariaDB: mysql probes of a real MariaDB.
func TestMariaDB(t *testing.T) {
	t.Parallel()
	programs := need(t, "mariadbd", "mariadb-install-db")
	dir, port := t.TempDir(), loopback.Port(t)
	data := dir + "/data"
	if out, err := exec.Command(programs[1], "--no-defaults", "--datadir="+data, "--user=root", "--skip-test-db", "--auth-root-authentication-method=normal").CombinedOutput(); err != nil {
		t.Fatalf("mariadb-install-db: %v\n%s", err, out)
	}
	users := file(t, dir, "users.sql", `
CREATE OR REPLACE USER fairlead@'%' IDENTIFIED BY 'correct horse';
CREATE OR REPLACE USER admin@'%' IDENTIFIED BY 'admin';
GRANT ALL ON *.* TO admin@'%';
CREATE OR REPLACE USER nobody@'%';
CREATE DATABASE IF NOT EXISTS shop;
GRANT SELECT ON shop.* TO fairlead@'%';
CREATE OR REPLACE TABLE shop.orders (id INT, note TEXT);
INSERT INTO shop.orders VALUES (41, 'open'), (42, NULL), (43, REPEAT('x', 60000));
`)
	args := []string{"--no-defaults", "--datadir=" + data, fmt.Sprint("--port=", port), "--bind-address=127.0.0.1", "--socket=" + dir + "/sock",
		"--pid-file=" + dir + "/pid", "--user=root", "--innodb-buffer-pool-size=16M", "--innodb-log-file-size=8M", "--init-file=" + users}
	cert, key := certificate(t, dir)
	s := start(t, launch{dir: dir}, programs[0], append(args, "--ssl-key="+key, "--ssl-cert="+cert)...)
	to := onLoopback(port)
	s.listening(to)
	good, bad, admin := file(t, dir, "good", "correct horse\n"), file(t, dir, "bad", "battery\n"), file(t, dir, "admin", "admin")
	login := func(user, password string) string {
		return fmt.Sprintf("login: {user: %s, password: \"file:%s\"}", user, password)
	}
	fairlead := login("fairlead", good)

	passes(t, `{type: mysql}`, to, "MariaDB")
	passes(t, `{type: mysql, `+fairlead+`}`, to, "logged in to")
	passes(t, `{type: mysql, login: {user: nobody}}`, to, "logged in to")
	fails(t, `{type: mysql, `+login("fairlead", bad)+`}`, to, "server says 1045: Access denied for user 'fairlead'")
	fails(t, `{type: mysql, `+fairlead+`, mysql: {database: payroll}}`, to, "server says 1044: Access denied")
	passes(t, `{type: mysql, `+fairlead+`, mysql: {database: shop, query: "SELECT id, note FROM orders ORDER BY id", expect: "41"}}`, to, `query gave "41"`)
	fails(t, `{type: mysql, `+fairlead+`, mysql: {database: shop, query: "SELECT id FROM orders ORDER BY id DESC", expect: "41"}}`, to, `query gave "43", want "41"`)
	passes(t, `{type: mysql, `+fairlead+`, mysql: {query: "SELECT note FROM shop.orders WHERE id = 42"}}`, to, "query gave NULL")
	passes(t, `{type: mysql, `+fairlead+`, mysql: {query: "SELECT note FROM shop.orders WHERE id = 43"}}`, to, `query gave "xxx`)
	passes(t, `{type: mysql, `+fairlead+`, mysql: {query: "SELECT note FROM shop.orders WHERE id = 44"}}`, to, "query gave no row")
	fails(t, `{type: mysql, `+fairlead+`, mysql: {query: "SELECT 1; SELECT 2"}}`, to, "server says 1064: You have an error in your SQL syntax")
	fails(t, `{type: mysql, timeout: 1s, `+fairlead+`, mysql: {query: "SELECT SLEEP(30)"}}`, to, "timed out after 1s waiting for the result of the query")
	passes(t, `{type: mysql, `+fairlead+`, mysql: {query: "SELECT seq FROM (WITH RECURSIVE n AS (SELECT 1 AS seq UNION ALL SELECT seq + 1 FROM n WHERE seq < 900) SELECT seq FROM n) x"}}`, to, `query gave "1"`)

	passes(t, `{type: mysql, security: tls, tls: {verify: false}, `+fairlead+`, mysql: {query: "SHOW STATUS LIKE 'Ssl_cipher'", expect: Ssl_cipher}}`, to, "query gave")
	passes(t, `{type: mysql, security: tls, tls: {ca_file: `+cert+`}, `+fairlead+`}`, to, "logged in")
	fails(t, `{type: mysql, security: tls}`, to, "certificate")

	passes(t, `{type: mysql, `+fairlead+`, mysql: {role: primary}}`, to, "primary")
	fails(t, `{type: mysql, `+fairlead+`, mysql: {role: replica}}`, to, "takes writes, want a replica")
	passes(t, `{type: mysql, `+login("admin", admin)+`, mysql: {query: "SET GLOBAL read_only = 1"}}`, to, "query gave no row")
	passes(t, `{type: mysql, `+fairlead+`, mysql: {role: replica}}`, to, "replica")
	fails(t, `{type: mysql, `+fairlead+`, mysql: {role: primary}}`, to, "takes no writes, want a primary")
	// Those that did not log in show the server that a session is aborted; those that did end in order.
	passes(t, `{type: mysql, `+login("admin", admin)+`, mysql: {query: "SELECT 1 FROM information_schema.global_status WHERE variable_name = 'ABORTED_CLIENTS' AND variable_value <= 3", expect: "1"}}`, to, "query gave")

	s.freeze()
	fails(t, `{type: mysql, timeout: 500ms, `+fairlead+`}`, to, "timed out after 500ms waiting for the greeting")
	s.stop()
	fails(t, `{type: mysql, `+fairlead+`}`, to, "tcp connect refused")
}
