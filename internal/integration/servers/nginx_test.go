//go:build integration

package servers

import (
	"fmt"
	"testing"

	"fairlead/internal/testkit/loopback"
)

// TestNGINX: http probes and stub_status of a real nginx.
func TestNGINX(t *testing.T) {
	t.Parallel()
	nginx, port, dir := need(t, "nginx")[0], loopback.Port(t), t.TempDir()
	conf := file(t, dir, "nginx.conf", fmt.Sprintf(`daemon off; pid %[1]s/pid; error_log stderr; worker_processes 1;
events { worker_connections 64; }
http {
	access_log off; client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
	server {
		listen 127.0.0.1:%[2]d;
		location = /healthz { return 200 "all systems go"; }
		location / { return 404; }
		location = /drain { return 503 "maintenance"; }
	}
}
`, dir, port))
	s := start(t, launch{dir: dir}, nginx, "-p", dir, "-c", conf)
	to := onLoopback(port)
	s.listening(to)
	passes(t, `{type: tcp}`, to, "connected")
	passes(t, `{type: http, http: {path: /healthz, expect_body: all systems}}`, to, "status 200")
	fails(t, `{type: http, http: {path: /nothing}}`, to, "status 404, want 200-299")
	if r := probing(t, `{type: http, http: {path: /drain}, drain_on: {status: ["503"]}}`, to); !r.OK || !r.Drain {
		t.Errorf("status 503 does not drain: %+v", r)
	}
	s.stop()
	fails(t, `{type: http, http: {path: /healthz}}`, to, "tcp connect refused")
}
