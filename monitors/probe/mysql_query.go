package probe

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// maxMySQLRest is how many packets after the first row are read, so that the session can be ended in order.
const maxMySQLRest = 16

// query runs a statement and returns the first column of its first row.
func (m *mysqlTalk) query(statement string) (cell, error) {
	m.frames.count = 0
	if err := m.send(true, append([]byte{3}, statement...)); err != nil {
		return cell{}, err
	}
	packet, err := m.receive(querying)
	if err != nil {
		return cell{}, err
	}
	switch packet[0] {
	case mysqlOK: // a statement that gives no rows
		return cell{none: true}, nil
	case mysqlError:
		return cell{}, m.failure(packet)
	case mysqlFile:
		return cell{}, errors.New("server asks for a file of this node, and gets none")
	}
	if columns, _, ok := mysqlInteger(packet); !ok || columns == 0 {
		return cell{}, fmt.Errorf("result: %w", errMalformed)
	}
	for ended := false; !ended; { // the columns
		if packet, err = m.receive(querying); err != nil {
			return cell{}, err
		}
		if packet[0] == mysqlError {
			return cell{}, m.failure(packet)
		}
		ended = isMySQLEOF(packet)
	}
	if packet, err = m.receive(querying); err != nil {
		return cell{}, err
	}
	switch {
	case isMySQLEOF(packet):
		return cell{none: true}, nil
	case packet[0] == mysqlError:
		return cell{}, m.failure(packet)
	}
	got, err := mysqlFirst(packet)
	if err != nil || m.x.text([]byte(got.text)) {
		return got, err
	}
	m.passOver()
	return got, nil
}

// passOver reads the rest of a short result. A long or broken one ends the session: nothing can be asked after it.
func (m *mysqlTalk) passOver() {
	for range maxMySQLRest {
		packet, err := m.receive(querying)
		if err != nil {
			break
		}
		if isMySQLEOF(packet) {
			return
		}
	}
	m.conn.Close()
}

func isMySQLEOF(packet []byte) bool { return packet[0] == mysqlEOF && len(packet) < 9 }

// mysqlFirst reads the first column of a row.
func mysqlFirst(packet []byte) (cell, error) {
	if packet[0] == mysqlFile { // in a row it means NULL
		return cell{null: true}, nil
	}
	n, at, ok := mysqlInteger(packet)
	if !ok || n > uint64(len(packet)-at) {
		return cell{}, fmt.Errorf("row: %w", errMalformed)
	}
	return cell{text: string(packet[at : at+int(n)])}, nil
}

// mysqlInteger reads a number of 1 to 9 octets.
func mysqlInteger(b []byte) (n uint64, length int, ok bool) {
	if len(b) == 0 {
		return 0, 0, false
	}
	length = 1
	switch b[0] {
	case 0xFC:
		length = 3
	case 0xFD:
		length = 4
	case 0xFE:
		length = 9
	case 0xFB, 0xFF:
		return 0, 0, false
	default:
		return uint64(b[0]), 1, true
	}
	if len(b) < length {
		return 0, 0, false
	}
	var wide [8]byte
	copy(wide[:], b[1:length])
	return binary.LittleEndian.Uint64(wide[:]), length, true
}
