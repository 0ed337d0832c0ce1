//go:build integration

package servers

import (
	"fmt"
	"testing"

	"fairlead/internal/testkit/loopback"
)

// TestKamailio: sip probes of Kamailio.
func TestKamailio(t *testing.T) {
	t.Parallel()
	kamailio, dir, port := need(t, "kamailio")[0], t.TempDir(), loopback.Port(t)
	conf := file(t, dir, "kamailio.cfg", fmt.Sprintf(`#!KAMAILIO
log_stderror=yes
children=1
tcp_children=1
auto_aliases=no
listen=udp:127.0.0.1:%[1]d
listen=tcp:127.0.0.1:%[1]d
loadmodule "sl.so"
loadmodule "pv.so"
request_route {
	if (method == "OPTIONS" && $rU == "nobody") { sl_send_reply("604", "Does Not Exist Anywhere"); exit; }
	if (method == "OPTIONS" && $rU == "out") { sl_send_reply("503", "Maintenance"); exit; }
	if (method == "OPTIONS" && uri == myself) { sl_send_reply("200", "Keepalive"); exit; }
	sl_send_reply("404", "Not here");
}
`, port))
	s := start(t, launch{dir: dir}, kamailio, "-DD", "-E", "-f", conf, "-m", "32", "-M", "4", "-Y", dir, "-w", dir)
	to := onLoopback(port)
	s.listening(to)
	for _, transport := range []string{"udp", "tcp"} {
		probe := func(more string) string {
			return fmt.Sprintf(`{type: sip, sip: {transport: %s%s}}`, transport, more)
		}
		passes(t, probe(""), to, "status 200")
		fails(t, probe(`, uri: "sip:somebody@example.com"`), to, `status 404 "Not here", want 200-299`)
		passes(t, probe(`, uri: "sip:somebody@example.com", expect_status: ["200", "404"]`), to, "status 404")
		passes(t, probe(fmt.Sprintf(`, uri: "sip:nobody@127.0.0.1:%d", expect_status: ["600-699"]`, port)), to, "status 604")
		if r := probing(t, fmt.Sprintf(`{type: sip, drain_on: {status: ["503"]}, sip: {uri: "sip:out@127.0.0.1", transport: %s}}`, transport), to); !r.OK || !r.Drain {
			t.Errorf("status 503 over %s does not drain: %+v", transport, r)
		}
	}
	s.freeze()
	fails(t, `{type: sip, timeout: 700ms}`, to, "timed out after 700ms waiting for first byte") // sent twice
	s.stop()
	fails(t, `{type: sip}`, to, "udp port unreachable")
	fails(t, `{type: sip, sip: {transport: tcp}}`, to, "tcp connect refused")
}
