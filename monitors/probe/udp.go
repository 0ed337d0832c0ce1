package probe

import (
	"errors"
	"os"

	"fairlead/monitors/reason"
)

// askUDP sends one datagram and passes when what the monitor expects comes back, in one datagram or several. With silent, nothing
// coming back passes as well: then only a wrong answer fails, and an ICMP error, which says that nobody listens.
func (x *exchange) askUDP() error {
	d := x.prepared.dialogue
	conn, err := x.dial("udp", 0)
	if err != nil {
		return err
	}
	if _, err := conn.Write(d.send); err != nil {
		return unreachable(err)
	}
	x.step("sent", "")
	heard := hearing{dialogue: d}
	for range maxDatagrams {
		packet, err := x.receive(conn)
		if err != nil {
			return x.udpEnded(&heard, err)
		}
		x.answered()
		before := len(heard.all)
		if heard.add(packet); x.drains(&heard, before) {
			return nil
		}
		if heard.enough() || heard.room() == 0 {
			break
		}
	}
	return x.judgeHeard(&heard)
}

// udpEnded judges what came before nothing came any more.
func (x *exchange) udpEnded(heard *hearing, err error) error {
	silence := errors.Is(err, os.ErrDeadlineExceeded)
	switch {
	case heard.any && silence:
		return x.judgeHeard(heard)
	case !silence:
		return unreachable(err)
	case heard.silent && x.ctx.Err() != nil:
		x.passes("no answer, which passes: silent")
		return nil
	}
	return reason.During(reason.Answer, err)
}
