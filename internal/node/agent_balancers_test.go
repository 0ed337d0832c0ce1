package node_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"fairlead/api/resource"
	"fairlead/sites"
)

// balancer starts a program until the test ends, and returns how to kill it.
func balancer(t *testing.T, program string, args ...string) (kill func()) {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		if path, err = exec.LookPath(filepath.Join("/usr/sbin", program)); err != nil {
			t.Skipf("%s is not installed: examples/mep-agent is not tried with it", program)
		}
	}
	var log strings.Builder
	c := exec.Command(path, args...)
	c.Stdout, c.Stderr = &log, &log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	}
	t.Cleanup(func() {
		kill()
		if t.Failed() {
			t.Logf("%s says:\n%s", program, log.String())
		}
	})
	return kill
}

func writeFile(t *testing.T, path, format string, args ...any) {
	t.Helper()
	if err := os.WriteFile(path, fmt.Appendf(nil, format, args...), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestAgentReadsHAProxy: the state of a backend, and what is connected to it, are those of the service.
func TestAgentReadsHAProxy(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "agent") // paths of sockets must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	server, port := newBackend(t), freePort(t)
	writeFile(t, filepath.Join(dir, "cfg"), `global
  stats socket %s/s mode 600 level user
defaults
  mode http
  timeout client 20s
  timeout server 20s
  timeout connect 1s
listen web
  bind 127.0.0.1:%d
  server one 127.0.0.1:%d check inter 200ms fall 1 weight 7
`, dir, port, server.port)
	balancer(t, "haproxy", "-db", "-f", filepath.Join(dir, "cfg"))
	w := newAgentWorld(t, "unix:"+dir+"/s")
	w.ini = strings.Replace(w.ini, "proxy = web", "proxy = web\nrow = BACKEND", 1)
	w.run()
	serviceAt(t, w.nodes["nyc"], "web-edge", func(s *resource.Service) bool {
		return state("UP")(s) && strings.Contains(s.Reason, "haproxy: web is UP") && s.Load != nil && tells(s, "mep edge", "requests", "bandwidth", "members", "member-weight")
	})
	server.close()
	serviceAt(t, w.nodes["nyc"], "web-edge", func(s *resource.Service) bool { return state("DOWN")(s) && strings.Contains(s.Reason, "haproxy") })
}

// TestAgentReadsNGINX: what stub_status tells is the load of a service, which is DOWN when there is no NGINX any more.
func TestAgentReadsNGINX(t *testing.T) {
	t.Parallel()
	dir, port := t.TempDir(), freePort(t)
	writeFile(t, filepath.Join(dir, "conf"), `daemon off;
master_process off;
pid %[1]s/pid;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path %[1]s/a; proxy_temp_path %[1]s/b; fastcgi_temp_path %[1]s/c; uwsgi_temp_path %[1]s/d; scgi_temp_path %[1]s/e;
  server { listen 127.0.0.1:%[2]d; location /status { stub_status; } }
}
`, dir, port)
	kill := balancer(t, "nginx", "-p", dir, "-c", filepath.Join(dir, "conf"), "-e", "stderr")
	w := newAgentWorld(t, "unix:"+newStatsSocket(t).path)
	w.ini += fmt.Sprintf("[service two]\nsource = nginx\nstatus = http://127.0.0.1:%d/status\nlabel = blue\naddresses = 192.0.2.82\n", port)
	w.run()
	w.edge("nyc", sites.ReachHeard, "")
	var held []net.Conn
	for range 5 {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		held = append(held, c)
	}
	serviceAt(t, w.nodes["nyc"], "pods:two", func(s *resource.Service) bool {
		return state("UP")(s) && s.Load != nil && s.Load.Active > uint64(len(held))
	})
	kill()
	serviceAt(t, w.nodes["nyc"], "pods:two", state("DOWN"))
	serviceAt(t, w.nodes["nyc"], "pods:one", state("UP"))
}
