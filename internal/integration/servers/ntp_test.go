//go:build integration

package servers

import (
	"fmt"
	"testing"

	"fairlead/internal/testkit/loopback"
)

// TestChronyd: ntp probes of chrony, which does not touch this machine's clock (-x).
func TestChronyd(t *testing.T) {
	t.Parallel()
	chronyd := need(t, "chronyd")[0]
	serve := func(more string) (*server, int) {
		port, dir := loopback.Port(t), t.TempDir()
		conf := file(t, dir, "chrony.conf", fmt.Sprintf("port %d\nbindaddress 127.0.0.1\nallow 127.0.0.1\ncmdport 0\nbindcmdaddress /\npidfile %s/pid\nuser root\n%s\n", port, dir, more))
		s := start(t, launch{dir: dir}, chronyd, "-x", "-d", "-f", conf)
		s.until("answers", func() error {
			r := probing(t, `{type: ntp, timeout: 200ms, interval: 1s, reverse: true, ntp: {max_stratum: 1}}`, onLoopback(port))
			if !r.OK {
				return fmt.Errorf("%s", r.Reason)
			}
			return nil
		})
		return s, port
	}
	s, port := serve("local stratum 8")
	to := onLoopback(port)
	passes(t, `{type: ntp, ntp: {max_offset: 1s}}`, to, "stratum 8")
	fails(t, `{type: ntp, ntp: {max_stratum: 7}}`, to, "stratum 8, want at most 7")
	if r := probing(t, `{type: ntp}`, to); len(r.Values) != 2 || r.Values[0].Name != "offset" || r.Values[0].Value < -1 || r.Values[0].Value > 1 {
		t.Errorf("values %v, want an offset to this machine's own clock near 0", r.Values)
	}
	s.stop()
	fails(t, `{type: ntp}`, to, "udp port unreachable")

	_, port = serve("")
	fails(t, `{type: ntp}`, onLoopback(port), "server's clock is not synchronized")
}
