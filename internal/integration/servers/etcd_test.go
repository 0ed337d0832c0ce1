//go:build integration

package servers

import (
	"fmt"
	"testing"

	"fairlead/internal/testkit/loopback"
)

// TestEtcd: grpc probes against the health service of a real etcd, with TLS and without.
func TestEtcd(t *testing.T) {
	t.Parallel()
	etcd, dir := need(t, "etcd")[0], t.TempDir()
	port, encrypted, peer := loopback.Port(t), loopback.Port(t), loopback.Port(t)
	a := newAuthority(t, dir)
	cert, key := a.issue(t, 30, "etcd.example.com")
	plain := fmt.Sprintf("http://127.0.0.1:%d", port)
	secure := fmt.Sprintf("https://127.0.0.1:%d", encrypted)
	peers := fmt.Sprintf("http://127.0.0.1:%d", peer)
	s := start(t, launch{dir: dir}, etcd, "--data-dir", dir+"/data", "--listen-client-urls", plain+","+secure, "--advertise-client-urls", plain,
		"--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster", "default="+peers, "--cert-file", cert, "--key-file", key)
	to := onLoopback(port)
	s.listening(to)
	passes(t, `{type: grpc}`, to, "SERVING")
	fails(t, `{type: grpc, grpc: {service: shop.v1.Orders}}`, to, "gRPC status NOT_FOUND: unknown service")
	passes(t, `{type: grpc, security: tls, grpc: {authority: etcd.example.com}, tls: {ca_file: `+a.ca+`}}`, onLoopback(encrypted), "SERVING")
	fails(t, `{type: grpc, security: tls, tls: {ca_file: `+a.ca+`}}`, onLoopback(encrypted), "certificate is for etcd.example.com")
	fails(t, `{type: grpc}`, onLoopback(encrypted), "")
	fails(t, `{type: grpc, security: tls}`, to, "")
	s.stop()
	fails(t, `{type: grpc}`, to, "tcp connect refused")
}
