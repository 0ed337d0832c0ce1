package probe

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"fairlead/monitors/reason"
)

// Limits of an exchange of datagrams.
const (
	maxDatagramBytes = 4096 // of one answer; the most a RADIUS packet has (RFC 2865 section 3)
	maxDatagrams     = 64   // answers that are looked at
)

// errNotOurs is a datagram that answers something else. It says nothing of the target.
var errNotOurs = errors.New("answers something else")

// datagrams sends a request and hands what comes back to accept until that is done. Anybody can send datagrams: one that accept objects
// to is passed over, but its objection is told when nothing better comes. The request is sent once more after again when
// there is time left for an answer; 0: never.
func (x *exchange) datagrams(conn net.Conn, request []byte, again time.Duration, accept func(packet []byte) (done bool, err error)) error {
	var objection error
	send := func() error {
		_, err := conn.Write(request)
		return err
	}
	if err := send(); err != nil {
		return unreachable(err)
	}
	repeat := time.Now().Add(again)
	if again > 0 && repeat.Before(x.deadline) {
		_ = conn.SetReadDeadline(repeat)
	} else {
		again = 0
	}
	packet := make([]byte, maxDatagramBytes)
	for range maxDatagrams {
		if x.ctx.Err() != nil { // its end may have been before the deadline was put off
			return outOfTime(x.ctx.Err(), objection)
		}
		n, err := conn.Read(packet)
		switch {
		case err == nil:
		case again > 0 && errors.Is(err, os.ErrDeadlineExceeded) && x.ctx.Err() == nil:
			again = 0
			_ = conn.SetReadDeadline(time.Time{})
			if err := send(); err != nil {
				return unreachable(err)
			}
			x.step("repeated", "")
			continue
		default:
			return outOfTime(err, objection)
		}
		done, err := accept(packet[:n])
		if done {
			return err
		}
		if err != nil && (objection == nil || !errors.Is(err, errNotOurs)) {
			objection = err
		}
	}
	return fmt.Errorf("%d answers, none to this request", maxDatagrams)
}

// outOfTime is why there is no answer.
func outOfTime(err, objection error) error {
	if objection != nil {
		return objection
	}
	return unreachable(err)
}

// unreachable names what a host says that has nobody on a port.
func unreachable(err error) error {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return errors.New("udp port unreachable")
	}
	return reason.During(reason.Answer, err)
}
