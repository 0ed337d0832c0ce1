//go:build integration

package servers

import (
	"fmt"
	"testing"

	"fairlead/internal/testkit/loopback"
)

// TestNGINXProtocols: TLS with an authority of one's own, client certificates, HTTP/2 with TLS and without, the PROXY protocol,
// login, headers and what is looked for in bodies, against a real nginx.
func TestNGINXProtocols(t *testing.T) {
	t.Parallel()
	nginx, dir := need(t, "nginx")[0], t.TempDir()
	tls, clear2, proxy, plain := loopback.Port(t), loopback.Port(t), loopback.Port(t), loopback.Port(t)
	a := newAuthority(t, dir)
	cert, key := a.issue(t, 30, "www.example.com")
	clientCert, clientKey := a.issue(t, 30, "probe.example.com")
	password := file(t, dir, "password", "s3cret\n")
	users := file(t, dir, "users", "fairlead:{PLAIN}s3cret\n")
	conf := file(t, dir, "nginx.conf", fmt.Sprintf(`daemon off; pid %[1]s/pid; error_log stderr; worker_processes 1; user root;
events { worker_connections 64; }
http {
	access_log off; client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
	server {
		listen 127.0.0.1:%[2]d ssl http2;
		ssl_certificate %[6]s; ssl_certificate_key %[7]s; ssl_client_certificate %[8]s; ssl_verify_client optional;
		location = / { return 200 "$server_protocol $ssl_server_name $host"; }
		location = /client { if ($ssl_client_verify != SUCCESS) { return 403; } return 200 "$ssl_client_s_dn"; }
	}
	server {
		listen 127.0.0.1:%[3]d http2;
		location / { return 200 "$server_protocol $http_x_token"; }
	}
	server {
		listen 127.0.0.1:%[4]d proxy_protocol;
		location / { return 200 "addr=$proxy_protocol_addr."; }
	}
	server {
		listen 127.0.0.1:%[5]d;
		location = /login { auth_basic x; auth_basic_user_file %[9]s; try_files /none @in; }
		location @in { return 200 "welcome"; }
		location = /state { return 200 "workers=12\nstate: leaving\n"; }
		location / { return 200 "$request_method $http_x_token"; }
	}
}
`, dir, tls, clear2, proxy, plain, cert, key, a.ca, users))
	s := start(t, launch{dir: dir}, nginx, "-p", dir, "-c", conf)
	s.listening(onLoopback(tls))
	trust := "ca_file: " + a.ca

	passes(t, `{type: https, http: {host: www.example.com, expect_body: HTTP/1.1 www.example.com www.example.com}, tls: {`+trust+`}}`, onLoopback(tls), "status 200")
	passes(t, `{type: https, http: {host: www.example.com, version: "2", expect_body: HTTP/2.0 www}, tls: {`+trust+`}}`, onLoopback(tls), "status 200")
	passes(t, `{type: https, http: {host: shop.test, version: auto, expect_body: HTTP/2.0 www.example.com shop.test}, tls: {server_name: www.example.com, `+trust+`}}`, onLoopback(tls), "status 200")
	fails(t, `{type: https, http: {host: shop.test}, tls: {`+trust+`}}`, onLoopback(tls), `certificate is for www.example.com, not for "shop.test"`)
	fails(t, `{type: https, http: {host: www.example.com}}`, onLoopback(tls), "unknown authority")
	fails(t, `{type: https, http: {host: www.example.com, path: /client}, tls: {`+trust+`}}`, onLoopback(tls), "status 403")
	passes(t, `{type: https, http: {host: www.example.com, path: /client, expect_body: probe.example.com}, tls: {cert_file: `+clientCert+`, key_file: "file:`+clientKey+`", `+trust+`}}`, onLoopback(tls), "status 200")

	passes(t, `{type: tls, tls: {server_name: www.example.com, `+trust+`}}`, onLoopback(tls), "certificate for www.example.com, 30 days left")
	fails(t, `{type: tls, tls: {server_name: www.example.com, days_left: 31, `+trust+`}}`, onLoopback(tls), "in 30 days; days_left is 31")
	fails(t, `{type: tls}`, onLoopback(plain), "answer is not TLS")

	passes(t, `{type: http, http: {version: "2", headers: [{name: X-Token, secret: "file:`+password+`"}], expect_body: HTTP/2.0 s3cret}}`, onLoopback(clear2), "status 200")
	fails(t, `{type: http, http: {version: "2"}}`, onLoopback(plain), "HTTP/2")

	passes(t, `{type: http, proxy_protocol: v1, http: {expect_body: addr=}}`, onLoopback(proxy), "status 200")
	passes(t, `{type: http, proxy_protocol: v2, http: {expect_body: addr=}}`, onLoopback(proxy), "status 200")
	fails(t, `{type: http}`, onLoopback(proxy), "")
	fails(t, `{type: http, proxy_protocol: v1}`, onLoopback(plain), "status 400")

	passes(t, `{type: http, http: {path: /login, expect_body: welcome}, login: {user: fairlead, password: "file:`+password+`"}}`, onLoopback(plain), "status 200")
	fails(t, `{type: http, http: {path: /login}}`, onLoopback(plain), "status 401")
	passes(t, `{type: http, http: {path: /state, expect_body_regexp: "(?m)^workers=[1-9]"}}`, onLoopback(plain), "status 200")
	fails(t, `{type: http, http: {path: /state, expect_body_regexp: "^workers=0"}}`, onLoopback(plain), "does not match")
	if r := probing(t, `{type: http, http: {path: /state}, drain_on: {text: "state: leaving"}}`, onLoopback(plain)); !r.OK || !r.Drain {
		t.Errorf("the text does not drain: %+v", r)
	}
	passes(t, `{type: tcp, tcp: {send: "HEAD / HTTP/1.0\r\n\r\n", expect_regexp: "^HTTP/1\\.1 200 "}}`, onLoopback(plain), "answer of")
	fails(t, `{type: tcp, tcp: {send: "nonsense\r\n\r\n", expect: "200 OK"}}`, onLoopback(plain), `lacks "200 OK"`)
}

// TestHAProxyProxyProtocol: the PROXY protocol with its inventor's own program.
func TestHAProxyProxyProtocol(t *testing.T) {
	t.Parallel()
	haproxy, dir, port := need(t, "haproxy")[0], t.TempDir(), loopback.Port(t)
	conf := file(t, dir, "haproxy.cfg", fmt.Sprintf(`defaults
	mode http
	timeout client 2s
	timeout connect 2s
	timeout server 2s
frontend f
	bind 127.0.0.1:%d accept-proxy
	http-request return status 200 content-type text/plain string ok
`, port))
	s := start(t, launch{dir: dir}, haproxy, "-db", "-f", conf)
	s.listening(onLoopback(port))
	passes(t, `{type: http, proxy_protocol: v1, http: {expect_body: ok}}`, onLoopback(port), "status 200")
	passes(t, `{type: http, proxy_protocol: v2, http: {expect_body: ok}}`, onLoopback(port), "status 200")
	fails(t, `{type: http}`, onLoopback(port), "")
}
