package mep

import (
	"encoding/binary"
	"net/netip"
	"time"
)

const (
	// MaxSessionRecords is the most records in one Sessions frame.
	MaxSessionRecords = 2048
	// SessionRecordsTold is the most records that this program puts into one frame: on a slow link nothing else
	// waits long behind it.
	SessionRecordsTold = 256
)

// SessionRecord is one persistence session: a client that stays on a service.
type SessionRecord struct {
	ID        uint32        // of the virtual server's persistence
	Client    netip.Addr    // masked; IPv4-mapped addresses are IPv4
	Service   uint64        // hash of the service's name: XXH64 with seed 0; 1: the backup; 0: the session was dropped
	Remaining time.Duration // until it ends, when the frame was made; whole milliseconds. Of one that was dropped: until no site can have it
}

// SessionsFrame is records to be told, encoded once for all peers.
//
// Layout, big-endian:
//
//	 0  4  age: milliseconds from making the frame to sending it
//	 4  2  number of IPv4 records
//	 6  2  number of IPv6 records; at most MaxSessionRecords together
//	 8  1  size of an IPv4 record: 20, later versions may append fields, which are ignored
//	 9  1  size of an IPv6 record: 32, as well
//	10  2  reserved: 0 when sent, ignored when received
//	12     IPv4 records, then IPv6 records
//
// A record:
//
//	 0  4   persistence id
//	 4  8   service: XXH64 of its name; 1: the backup; 0: dropped
//	12  4   milliseconds that remained when the frame was made
//	16  4   address, or 16
type SessionsFrame struct {
	payload []byte // not written to any more
	made    time.Time
}

const (
	sessionsPrefix     = 12
	sessionRecord4     = 20
	sessionRecord6     = 32
	maxRemainingMillis = 1<<32 - 1
)

// flagConfirm of a Sessions frame: who receives it sends a KeepAlive soon, which tells that it has come so far.
const flagConfirm uint8 = 1 << 0

// NewSessionsFrame encodes records, at most MaxSessionRecords, as they are at made. Records without an address are left out.
func NewSessionsFrame(records []SessionRecord, made time.Time) SessionsFrame {
	b := make([]byte, sessionsPrefix, sessionsPrefix+sessionRecord6*len(records))
	b[8], b[9] = sessionRecord4, sessionRecord6
	for family, count := range [...]int{4, 6} {
		n := 0
		for i := range records {
			if r := &records[i]; r.Client.IsValid() && (r.Client.Unmap().Is4() == (count == 4)) {
				b = r.append(b)
				n++
			}
		}
		binary.BigEndian.PutUint16(b[4+2*family:], uint16(n))
	}
	return SessionsFrame{payload: b, made: made}
}

// Size returns the frame's size in octets.
func (f SessionsFrame) Size() int { return headerSize + len(f.payload) }

// Records returns the number of records in the frame.
func (f SessionsFrame) Records() int {
	return int(binary.BigEndian.Uint16(f.payload[4:])) + int(binary.BigEndian.Uint16(f.payload[6:]))
}

// Sessions returns the records as who receives them reads them: IPv4 first.
func (f SessionsFrame) Sessions() []SessionRecord {
	records, _, _ := decodeSessions(f.payload) // it was encoded here
	return records
}

// Made returns when the frame was made.
func (f SessionsFrame) Made() time.Time { return f.made }

// aged returns the payload with its age at now.
func (f SessionsFrame) aged(now time.Time) []byte {
	age := milliseconds32(now.Sub(f.made))
	if age == 0 {
		return f.payload
	}
	b := append(make([]byte, 0, len(f.payload)), f.payload...)
	binary.BigEndian.PutUint32(b, age)
	return b
}

func (r *SessionRecord) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, r.ID)
	b = binary.BigEndian.AppendUint64(b, r.Service)
	b = binary.BigEndian.AppendUint32(b, uint32(min(max(r.Remaining.Milliseconds(), 0), maxRemainingMillis)))
	return append(b, r.Client.Unmap().AsSlice()...)
}

// decodeSessions reads the payload of a Sessions frame.
func decodeSessions(payload []byte) (records []SessionRecord, age time.Duration, err error) {
	c := cursor{what: "Sessions", b: payload}
	age = time.Duration(c.u32()) * time.Millisecond
	count4, count6 := int(c.u16()), int(c.u16())
	size4, size6 := int(c.u8()), int(c.u8())
	c.u16()
	switch {
	case c.err != nil:
		return nil, 0, c.err
	case count4+count6 > MaxSessionRecords:
		return nil, 0, refusef(RejectOversize, "take Sessions: %d records are above the limit of %d", count4+count6, MaxSessionRecords)
	case size4 < sessionRecord4 || size6 < sessionRecord6:
		c.at = 8
		c.failf("records of %d and %d bytes, want at least %d and %d", size4, size6, sessionRecord4, sessionRecord6)
		return nil, 0, c.err
	case count4*size4+count6*size6 != len(payload)-c.at:
		c.failf("%d records of %d bytes and %d of %d, and %d bytes for them", count4, size4, count6, size6, len(payload)-c.at)
		return nil, 0, c.err
	}
	records = make([]SessionRecord, 0, count4+count6)
	for i := range count4 + count6 {
		size := size4
		if i >= count4 {
			size = size6
		}
		b := c.take(size)
		r := SessionRecord{ID: binary.BigEndian.Uint32(b), Service: binary.BigEndian.Uint64(b[4:]),
			Remaining: time.Duration(binary.BigEndian.Uint32(b[12:])) * time.Millisecond}
		if i < count4 {
			r.Client = netip.AddrFrom4([4]byte(b[16:20]))
		} else {
			r.Client = netip.AddrFrom16([16]byte(b[16:32]))
		}
		records = append(records, r)
	}
	return records, age, nil
}

func (s *session) handleSessions(h header, payload []byte) error {
	records, age, err := decodeSessions(payload)
	if err != nil {
		return err
	}
	s.x.report(s, &SessionsReport{Peer: s.peer.site, Records: records, ReceivedAt: time.Now(), Age: age})
	if h.flags&flagConfirm != 0 {
		signal(s.confirm)
		signal(s.wake)
	}
	return nil
}

// TellSessions hands a frame to the session with a site. It does not block, and takes no more than the peer is known to keep up
// with: ok is false when that is reached, or when there is no session. number counts the frames that were taken in the session,
// from 1; once SessionsHeard has come to it the peer has the frame. One caller at a time.
func (x *Exchange) TellSessions(site string, f SessionsFrame) (number uint64, ok bool) {
	s, now := x.sessionWith(site), time.Now()
	if s == nil {
		return 0, false
	}
	if number, ok = s.told.reserve(f.Size(), now); !ok {
		return 0, false
	}
	if !s.postFrame(posted{kind: FrameSessions, flags: flagConfirm, payload: f.aged(now)}) {
		s.told.release(f.Size())
		return 0, false
	}
	return number, true
}

// SessionsHeard returns how many frames of TellSessions a site is known to have received in the present session.
func (x *Exchange) SessionsHeard(site string) uint64 {
	s := x.sessionWith(site)
	if s == nil {
		return 0
	}
	return s.told.received()
}

// sessionWith returns the session with a site that is told of sessions; nil: there is none. Of its parents this site tells the
// one that it is attached to.
func (x *Exchange) sessionWith(site string) *session {
	x.mu.Lock()
	defer x.mu.Unlock()
	p := x.find(site)
	if p == nil || p.session == nil || p.session.version < 2 || p.wish.Relation == RelationParent && x.choice.current != p.site {
		return nil
	}
	return p.session
}
