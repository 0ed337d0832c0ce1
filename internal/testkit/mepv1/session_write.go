package mepv1

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"
)

// write sends KeepAlives at their interval and the newest set whenever there is one, until the session ends; then the
// farewell. Between two frames it always goes on with the newest set, so a slow peer costs one buffer, whatever happens.
func (s *session) write() {
	interval := min(s.x.opts.KeepaliveTimeout, s.hello.KeepaliveTimeout) / keepalivesPerTimeout
	tick := time.NewTicker(max(interval, minKeepaliveInterval))
	defer tick.Stop()
	signal(s.fresh) // what was taken before the session began
	number, views, orders := uint64(0), uint64(0), uint64(0)
	err := s.sendKeepAlive()
	for err == nil {
		select {
		case <-s.ending:
			s.sendFarewell()
			return
		case <-tick.C:
			err = s.sendKeepAlive()
		case n := <-s.asks.notes:
			err = s.send(n.kind, 0, n.encode)
		case <-s.fresh:
			if set := s.x.set.Load(); set != nil && set.number != number {
				number = set.number
				err = s.sendSet(set)
			}
			if err == nil {
				err = errors.Join(s.sendBundle(s.x.views.Load(), &views), s.sendBundle(s.x.overrides.Load(), &orders))
			}
		}
	}
	if s.isEnding() { // the error is how the writer was woken
		s.sendFarewell()
		return
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = refusef(RejectSlowReader, "write to site %q: it takes nothing for %v", s.peer.site, s.x.opts.KeepaliveTimeout)
		s.noteRejected(RejectSlowReader, err)
	}
	s.end(err, nil)
}

func (s *session) sendKeepAlive() error {
	return s.send(FrameKeepAlive, 0, func(b []byte) []byte {
		now := time.Now()
		k := keepAlive{stamp: s.x.stamp(now), clock: now, digest: s.x.opts.Digest()}
		s.mu.Lock()
		s.path.echo(&k, now)
		k.heard, k.silence = s.heard, now.Sub(s.heardAt)
		s.mu.Unlock()
		return k.append(b)
	})
}

// sendSet sends all parts of a set: a set that was begun is finished, unless the session ends.
func (s *session) sendSet(set *servicesSet) error {
	for i, part := range set.parts {
		var flags uint8
		if i < len(set.parts)-1 {
			flags = flagMore
		}
		err := s.send(FrameServices, flags, func(b []byte) []byte {
			start := len(b)
			b = append(b, part...)
			binary.BigEndian.PutUint32(b[start+servicesAgeOffset:], milliseconds32(time.Since(set.taken)))
			return b
		})
		if err != nil || s.isEnding() {
			return err
		}
	}
	return nil
}

// sendBundle sends all parts of a bundle, unless it was sent: number is the last one that was.
func (s *session) sendBundle(set *bundle, number *uint64) error {
	if set == nil || set.number == *number {
		return nil
	}
	*number = set.number
	for i, part := range set.parts {
		var flags uint8
		if i < len(set.parts)-1 {
			flags = flagMore
		}
		err := s.send(set.kind, flags, func(b []byte) []byte {
			start := len(b)
			b = append(b, part...)
			binary.BigEndian.PutUint32(b[start+bundleAgeOffset:], milliseconds32(time.Since(set.taken)))
			return b
		})
		if err != nil || s.isEnding() {
			return err
		}
	}
	return nil
}

// sendFarewell sends the last frame, if there is one. A frame that was cut short before it makes it unreadable, which is
// no loss: the peer was not reading.
func (s *session) sendFarewell() {
	s.mu.Lock()
	farewell := s.farewell
	s.mu.Unlock()
	if farewell != nil {
		_ = s.send(FrameLeaving, 0, farewell.append)
	}
}

// send writes one frame, within the keepalive timeout.
func (s *session) send(kind FrameType, flags uint8, encode func([]byte) []byte) error {
	s.out = appendFrame(s.out[:0], kind, flags, s.sent.Add(1), encode)
	s.extend(s.conn.SetWriteDeadline, s.x.opts.KeepaliveTimeout)
	n, err := s.conn.Write(s.out)
	s.written.Add(uint64(n))
	if cap(s.out) > keepBuffer {
		s.out = nil
	}
	if err != nil {
		return fmt.Errorf("write %s to site %q: %w", kind, s.peer.site, err)
	}
	return nil
}
