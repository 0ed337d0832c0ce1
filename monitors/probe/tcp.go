package probe

import (
	"io"

	"fairlead/monitors/reason"
)

// askTCP passes when the connection is established, its TLS as well if there is to be some, and when the server says what the monitor
// expects.
func (x *exchange) askTCP() error {
	d := x.prepared.dialogue
	conn, err := x.open(0, 0)
	if err != nil {
		return err
	}
	if len(d.send) == 0 && !d.expects() {
		x.connected()
		return nil
	}
	if len(d.send) > 0 {
		if _, err := conn.Write(d.send); err != nil {
			return reason.During(reason.Answer, err)
		}
		x.step("sent", "")
	}
	return x.listen(conn, d)
}

// connected notes that the connection was the answer; how its end goes says nothing.
func (x *exchange) connected() {
	x.answered()
	x.reason = "connected"
}

// listen reads from a stream until the dialogue is satisfied.
func (x *exchange) listen(conn io.Reader, d *dialogue) error {
	heard := hearing{dialogue: d}
	part := make([]byte, 4096)
	for heard.room() > 0 {
		n, err := conn.Read(part[:min(len(part), heard.room())])
		if n > 0 {
			x.answered()
			before := len(heard.all)
			if heard.add(part[:n]); x.drains(&heard, before) {
				return nil
			}
			if heard.enough() {
				break
			}
		}
		if err != nil {
			if len(heard.all) == 0 {
				return reason.During(reason.Answer, err)
			}
			break // what came is judged
		}
	}
	return x.judgeHeard(&heard)
}
