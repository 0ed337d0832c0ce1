//go:build integration

package servers

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"fairlead/internal/testkit/loopback"
)

// TestVSFTPD: ftp probes of vsftpd, which lets everybody in as anonymous and nobody else.
func TestVSFTPD(t *testing.T) {
	t.Parallel()
	vsftpd, dir := need(t, "vsftpd")[0], t.TempDir()
	if os.Getuid() != 0 {
		t.Skip("needs root, to run vsftpd")
	}
	cert, key := certificate(t, dir)
	root := filepath.Join(dir, "root")
	empty := filepath.Join(dir, "empty")
	open(t, root, 0o755)
	open(t, empty, 0o755)
	if err := os.Chmod(file(t, root, "here.txt", "0123456789"), 0o644); err != nil {
		t.Fatal(err)
	}
	serve := func(more string) (*server, int) {
		port := loopback.Port(t)
		conf := file(t, dir, fmt.Sprint("vsftpd-", port, ".conf"), fmt.Sprintf(`listen=YES
background=NO
listen_address=127.0.0.1
listen_port=%d
anonymous_enable=YES
local_enable=NO
anon_root=%s
secure_chroot_dir=%s
seccomp_sandbox=NO
delay_failed_login=0
ssl_enable=YES
allow_anon_ssl=YES
rsa_cert_file=%s
rsa_private_key_file=%s
%s`, port, root, empty, cert, key, more))
		s := start(t, launch{dir: dir}, vsftpd, conf)
		s.listening(onLoopback(port))
		return s, port
	}
	tls := "tls: {ca_file: " + cert + "}"
	s, port := serve("")
	to := onLoopback(port)
	passes(t, `{type: ftp}`, to, "logged in")
	if r := probing(t, `{type: ftp, ftp: {file: here.txt}}`, to); !r.OK || r.Reason != `"here.txt" has 10 bytes` || len(r.Values) != 1 || r.Values[0].Value != 10 {
		t.Errorf("got %+v, want a file of 10 bytes", r)
	}
	fails(t, `{type: ftp, ftp: {file: gone.txt}}`, to, `to SIZE, want 213`)
	fails(t, `{type: ftp, login: {user: somebody, password: "file:`+file(t, dir, "password", "wrong\n")+`"}}`, to, "530")
	passes(t, fmt.Sprintf(`{type: ftp, security: starttls, %s, ftp: {file: here.txt}}`, tls), to, `"here.txt" has 10 bytes`)
	fails(t, `{type: ftp, security: starttls}`, to, "self-signed certificate for 127.0.0.1")
	if r := probing(t, `{type: ftp, drain_on: {status: ["230"]}}`, to); !r.Drain {
		t.Errorf("the reply 230 does not drain: %+v", r)
	}
	s.stop()
	fails(t, `{type: ftp}`, to, "tcp connect refused")

	_, port = serve("implicit_ssl=YES\n")
	passes(t, fmt.Sprintf(`{type: ftp, security: tls, %s, ftp: {file: here.txt}}`, tls), onLoopback(port), `"here.txt" has 10 bytes`)
}
