//go:build integration

package servers

import (
	"fmt"
	"testing"

	"fairlead/internal/testkit/loopback"
)

// TestRedis: redis probes of a real master and of its replica.
func TestRedis(t *testing.T) {
	t.Parallel()
	redis, dir := need(t, "redis-server")[0], t.TempDir()
	port, replicaPort, tlsPort := loopback.Port(t), loopback.Port(t), loopback.Port(t)
	good, bad, watch := file(t, dir, "good", "correct horse\n"), file(t, dir, "bad", "battery\n"), file(t, dir, "watch", "watchword\n")
	cert, key := certificate(t, dir)
	common := []string{"--bind", "127.0.0.1", "--save", "", "--dir", dir, "--requirepass", "correct horse", "--masterauth", "correct horse"}
	s := start(t, launch{dir: dir}, redis, append(common, "--port", fmt.Sprint(port), "--dbfilename", "master.rdb", "--tls-port", fmt.Sprint(tlsPort),
		"--tls-cert-file", cert, "--tls-key-file", key, "--tls-auth-clients", "no", "--user", "watcher", "on", ">watchword", "+ping", "+info")...)
	to, toTLS := onLoopback(port), onLoopback(tlsPort)
	s.listening(to)
	login := func(user, path string) string {
		if user != "" {
			user = "user: " + user + ", "
		}
		return fmt.Sprintf("login: {%spassword: \"file:%s\"}", user, path)
	}
	fails(t, `{type: redis}`, to, "server says NOAUTH Authentication required.")
	passes(t, `{type: redis, `+login("", good)+`}`, to, "PONG")
	passes(t, `{type: redis, `+login("default", good)+`, redis: {role: master}}`, to, "master")
	passes(t, `{type: redis, `+login("watcher", watch)+`, redis: {role: master}}`, to, "master")
	fails(t, `{type: redis, `+login("", bad)+`}`, to, "server says WRONGPASS")
	fails(t, `{type: redis, `+login("", good)+`, redis: {role: replica}}`, to, `role "master", want replica`)
	if r := probing(t, `{type: redis, drain_on: {text: NOAUTH}}`, to); !r.OK || !r.Drain {
		t.Errorf("the text of an error does not drain: %+v", r)
	}
	passes(t, `{type: redis, security: tls, tls: {verify: false}, `+login("", good)+`}`, toTLS, "PONG")
	fails(t, `{type: redis, security: tls}`, toTLS, "certificate")

	replica := start(t, launch{dir: dir}, redis, append(common, "--port", fmt.Sprint(replicaPort), "--dbfilename", "replica.rdb", "--replicaof", fmt.Sprint("127.0.0.1 ", port))...)
	toReplica := onLoopback(replicaPort)
	replica.listening(toReplica)
	asReplica := `{type: redis, ` + login("", good) + `, redis: {role: replica}}`
	replica.until("has its link up", func() error {
		if r := probing(t, asReplica, toReplica); !r.OK {
			return fmt.Errorf("%s", r.Reason)
		}
		return nil
	})
	fails(t, `{type: redis, `+login("", good)+`, redis: {role: master}}`, toReplica, `role "replica", want master`)
	s.stop()
	fails(t, `{type: redis, `+login("", good)+`}`, to, "tcp connect refused")
	replica.until("has lost its link", func() error {
		if r := probing(t, asReplica, toReplica); r.OK {
			return fmt.Errorf("%s", r.Reason)
		}
		return nil
	})
	fails(t, asReplica, toReplica, `replica whose link to its master is "down"`)
	passes(t, `{type: redis, `+login("", good)+`}`, toReplica, "PONG")
}
