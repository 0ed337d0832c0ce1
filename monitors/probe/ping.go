package probe

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"time"

	"fairlead/config"
	"fairlead/monitors/reason"
)

// askPing sends one ICMP echo request and passes when its reply comes. Lost packets are what fall is for.
func (x *exchange) askPing() error {
	to := x.target.Endpoint(0).Addr()
	if err := x.opts.Allowed("ip", netip.AddrPortFrom(to, 0)); err != nil {
		return err
	}
	reply, err := x.pinger.Ping(x.ctx, to, config.SectionOf(x.monitor.Ping).Size)
	if errno, ok := errors.AsType[syscall.Errno](err); ok && (errno == syscall.EHOSTUNREACH || errno == syscall.ENETUNREACH) {
		return fmt.Errorf("cannot send: %w", errno)
	}
	if err != nil {
		return reason.During(reason.Reply, err)
	}
	x.answered()
	x.passes("reply after %v", reply.RTT.Round(time.Microsecond))
	return nil
}
