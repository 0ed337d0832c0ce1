//go:build !unix

package probe

import "net"

// receive reads one datagram, which is valid until the next call and the end of the probe.
func (x *exchange) receive(conn net.Conn) ([]byte, error) {
	x.takePacket()
	n, err := conn.Read(x.packet[:])
	return x.packet[:n], err
}
