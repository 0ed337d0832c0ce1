//go:build integration

package servers

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/monitors/probe"
)

// pinged has a run of this program ping addresses and print what it found; unfound has so many addresses pinged meanwhile that nobody
// on the same link has: what asks for them stays on the machine for seconds.
const (
	pinged  = "FAIRLEAD_TEST_PING"
	unfound = "FAIRLEAD_TEST_PING_UNFOUND"
)

// TestPingInside is what TestPing runs in namespaces.
func TestPingInside(t *testing.T) {
	addresses := strings.Fields(os.Getenv(pinged))
	if len(addresses) == 0 {
		t.Skip("TestPing runs this")
	}
	p := probe.New(probe.Options{})
	if count, err := strconv.Atoi(os.Getenv(unfound)); err == nil {
		defer pingUnfound(t, p, count)()
	}
	for _, text := range addresses {
		m := config.Monitor{Name: "alive", Type: config.MonitorPing, Interval: config.Duration(time.Minute), Timeout: config.Duration(6 * time.Second)}
		to := netip.AddrPortFrom(netip.MustParseAddr(text), 0)
		began := time.Now()
		r := p.Probe(context.Background(), probe.Target{Service: "web", Monitor: &m, Address: to})
		fmt.Printf("pinged %s %v %v after %v\n", text, r.OK, r.Reason, time.Since(began).Round(time.Millisecond))
	}
}

// pingUnfound has addresses pinged until what it returns has been called.
func pingUnfound(t *testing.T, p *probe.Prober, count int) (wait func()) {
	m := config.Monitor{Name: "gone", Type: config.MonitorPing, Interval: config.Duration(time.Minute), Timeout: config.Duration(time.Second)}
	var begun, ended sync.WaitGroup
	begun.Add(count)
	to := netip.MustParseAddr("10.99.8.1")
	for range count {
		target := probe.Target{Service: "web", Monitor: &m, Address: netip.AddrPortFrom(to, 0)}
		ended.Go(func() {
			began := time.Now()
			begun.Done()
			r := p.Probe(context.Background(), target)
			if took := time.Since(began); r.OK || took > 3*time.Second {
				t.Errorf("%s: %t, %s after %v; want no reply after 1s", target.Address.Addr(), r.OK, r.Reason, took)
			}
		})
		to = to.Next()
	}
	begun.Wait()
	return ended.Wait
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
ip addr add 10.99.0.1/16 dev v0; ip link set v0 up; ip -6 addr add 2001:db8:9::1/64 dev v0 nodad
nsenter -n -t $router ip link set v1 up
nsenter -n -t $router ip addr add 10.99.0.2/16 dev v1; nsenter -n -t $router ip -6 addr add 2001:db8:9::2/64 dev v1 nodad
nsenter -n -t $router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip route add 10.97.0.0/16 via 10.99.0.2; ip -6 route add 2001:db8:a::/64 via 2001:db8:9::2
"$@"`
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := func(groups, gone, addresses string, args ...string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		cmd := exec.CommandContext(ctx, programs[0], append([]string{"-n", "sh", "-c", world, "sh"}, append(args, self, "-test.run", "^TestPingInside$")...)...)
		cmd.Env = append(os.Environ(), pinged+"="+addresses, unfound+"="+gone, "RANGE="+groups)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%v: %s", err, out)
		}
		t.Logf("ping_group_range %s\n%s", groups, out)
		return string(out)
	}
	for kind, groups := range map[string]string{"datagrams": "0 2147483647", "raw": "1 0"} {
		t.Run(kind, func(t *testing.T) {
			out := run(groups, "", "127.0.0.1 ::1 10.99.0.2 2001:db8:9::2 10.97.0.9 2001:db8:a::1 10.99.0.77 192.0.2.1")
			for _, want := range []string{"127.0.0.1 true reply after ", "::1 true reply after ", "10.99.0.2 true reply after ", "2001:db8:9::2 true reply after ",
				"10.97.0.9 false icmp network unreachable", "2001:db8:a::1 false icmp no route", "10.99.0.77 false icmp host unreachable", "192.0.2.1 false cannot send: network is unreachable"} {
				if !strings.Contains(out, "pinged "+want) {
					t.Errorf("lacks %q", want)
				}
			}
			// Below 1024, which is how many neighbours a machine looks for at once.
			if out := run(groups, "700", strings.Repeat(" 10.99.0.2", 20)); strings.Count(out, "pinged 10.99.0.2 true reply after ") != 20 {
				t.Error("pings were held up by what waits for hosts that nobody finds")
			}
		})
	}
	if out := run("1 0", "", "127.0.0.1", programs[4], "--inh-caps=-net_raw", "--bounding-set=-net_raw"); !strings.Contains(out, "net.ipv4.ping_group_range, or give it CAP_NET_RAW") {
		t.Error("without either socket: the reason says nothing of what to do")
	}
}
