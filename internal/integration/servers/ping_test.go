//go:build integration

package servers

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/monitors/probe"
)

// pinged has a run of this program ping addresses and print what it found.
const pinged = "FAIRLEAD_TEST_PING"

// TestPingInside is what TestPing runs in namespaces.
func TestPingInside(t *testing.T) {
	addresses := strings.Fields(os.Getenv(pinged))
	if len(addresses) == 0 {
		t.Skip("TestPing runs this")
	}
	for _, text := range addresses {
		m := config.Monitor{Name: "alive", Type: config.MonitorPing, Interval: config.Duration(time.Minute), Timeout: config.Duration(6 * time.Second)}
		to := netip.AddrPortFrom(netip.MustParseAddr(text), 0)
		began := time.Now()
		r := probe.New(probe.Options{}).Probe(context.Background(), probe.Target{Service: "web", Monitor: &m, Address: to})
		fmt.Printf("pinged %s %v %v after %v\n", text, r.OK, r.Reason, time.Since(began).Round(time.Millisecond))
	}
}

// TestPing: pings through both kinds of sockets to a host, to an address that a router has no way to, and to one that nobody has; and
// what is said when neither socket is allowed.
func TestPing(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("needs root, for network namespaces")
	}
	programs := need(t, "unshare", "nsenter", "ip", "sysctl", "setpriv", "sh")
	const world = `set -e
sysctl -qw net.ipv4.ping_group_range="$RANGE"
ip link set lo up
unshare -n sleep 60 & router=$!
trap 'kill $router' EXIT
until [ "$(readlink /proc/$router/ns/net)" != "$(readlink /proc/$$/ns/net)" ]; do :; done
ip link add v0 type veth peer name v1 netns $router
ip addr add 10.99.0.1/24 dev v0; ip link set v0 up; ip -6 addr add 2001:db8:9::1/64 dev v0 nodad
nsenter -n -t $router ip link set v1 up
nsenter -n -t $router ip addr add 10.99.0.2/24 dev v1; nsenter -n -t $router ip -6 addr add 2001:db8:9::2/64 dev v1 nodad
nsenter -n -t $router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip route add 10.97.0.0/16 via 10.99.0.2; ip -6 route add 2001:db8:a::/64 via 2001:db8:9::2
"$@"`
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := func(groups, addresses string, args ...string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		cmd := exec.CommandContext(ctx, programs[0], append([]string{"-n", "sh", "-c", world, "sh"}, append(args, self, "-test.run", "^TestPingInside$")...)...)
		cmd.Env = append(os.Environ(), pinged+"="+addresses, "RANGE="+groups)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%v: %s", err, out)
		}
		t.Logf("ping_group_range %s\n%s", groups, out)
		return string(out)
	}
	for kind, groups := range map[string]string{"datagrams": "0 2147483647", "raw": "1 0"} {
		t.Run(kind, func(t *testing.T) {
			out := run(groups, "127.0.0.1 ::1 10.99.0.2 2001:db8:9::2 10.97.0.9 2001:db8:a::1 10.99.0.77 192.0.2.1")
			for _, want := range []string{"127.0.0.1 true reply after ", "::1 true reply after ", "10.99.0.2 true reply after ", "2001:db8:9::2 true reply after ",
				"10.97.0.9 false icmp network unreachable", "2001:db8:a::1 false icmp no route", "10.99.0.77 false icmp host unreachable", "192.0.2.1 false cannot send: network is unreachable"} {
				if !strings.Contains(out, "pinged "+want) {
					t.Errorf("lacks %q", want)
				}
			}
		})
	}
	if out := run("1 0", "127.0.0.1", programs[4], "--inh-caps=-net_raw", "--bounding-set=-net_raw"); !strings.Contains(out, "net.ipv4.ping_group_range, or give it CAP_NET_RAW") {
		t.Error("without either socket: the reason says nothing of what to do")
	}
}
