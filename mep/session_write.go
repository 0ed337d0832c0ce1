package mep

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"
)

// writing is what the writing goroutine knows of what the peer was told.
type writing struct {
	services uint64 // round, or set of version 1; 0: none
	views    uint64
	orders   uint64
	attach   uint32
	digest   [32]byte
}

// write sends what there is to tell, until the session ends; then the farewell. Of services it always goes on with the newest, so a
// slow peer costs one buffer, whatever happens. What is there at one time leaves in one write.
func (s *session) write() {
	interval := min(s.x.opts.KeepaliveTimeout, s.hello.KeepaliveTimeout) / keepalivesPerTimeout
	tick := time.NewTicker(max(interval, minKeepaliveInterval))
	defer tick.Stop()
	var told writing
	s.putKeepAlive(&told)
	err := s.gather(&told)
	for err == nil {
		pause, failed := s.sendConfigPart()
		if err = failed; err != nil {
			break
		}
		if pause == 0 { // there may be more of it, but what is urgent comes first
			pause = time.Nanosecond
		}
		if s.await(tick.C, pause, &told) {
			s.sendFarewell()
			return
		}
		err = s.gather(&told)
	}
	if s.isEnding() { // the error is how the writer was woken
		s.sendFarewell()
		return
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = refusef(RejectSlowReader, "write to site %q: it takes nothing for %v", s.peer.site, s.x.opts.KeepaliveTimeout)
		s.noteRejected(RejectSlowReader, err)
	} else if time.Since(s.lastHeard()) >= s.x.opts.KeepaliveTimeout { // and the peer, told of it, was quicker to end than the reader
		err = s.explain(os.ErrDeadlineExceeded)
	}
	s.end(err, nil)
}

// await waits until there is something to do, at most for pause if that is not below 0. It reports whether the session ends.
func (s *session) await(tick <-chan time.Time, pause time.Duration, told *writing) (ends bool) {
	var config <-chan time.Time
	if pause >= 0 {
		t := time.NewTimer(pause)
		defer t.Stop()
		config = t.C
	}
	select {
	case <-s.ending:
		return true
	case <-tick:
		s.putKeepAlive(told)
	case <-s.wake:
	case <-config:
	}
	return false
}

// gather writes what there is to tell.
func (s *session) gather(told *writing) error {
	s.putDocument(told)
	for more := true; more; {
		select {
		case <-s.confirm:
			s.putKeepAlive(told)
		case n := <-s.asks.notes:
			s.put(n.kind, 0, n.encode)
		default:
			more = false
		}
	}
	for _, f := range s.takePosts() {
		if f.kind == FrameSessions {
			s.told.writing(s.sent.Load() + 1)
		}
		if err := s.putLarge(f.kind, f.flags, func(b []byte) []byte { return append(b, f.payload...) }); err != nil {
			return err
		}
	}
	if err := s.putServices(told); err != nil {
		return err
	}
	return s.flush()
}

// putServices tells of services, views and overrides, as far as this site tells the peer of them.
func (s *session) putServices(told *writing) error {
	now := s.x.standing(s)
	if attach := attachStandby; now.relation == RelationParent && s.version >= 2 {
		if now.attached {
			attach = attachHere
		}
		if attach != told.attach {
			told.attach = attach
			s.put(FrameAttach, 0, func(b []byte) []byte { return appendAttach(b, now.attached) })
		}
	}
	var err error
	views := s.x.views.Load()
	switch {
	case !now.tellsServices():
		told.services, told.views = 0, 0
	case s.version >= 2:
		err = s.putRounds(told)
	default:
		views = s.x.oldViews.Load()
		if set := s.x.set.Load(); set != nil && set.number != told.services {
			told.services = set.number
			err = s.putParts(FrameServices, set.parts, 0, servicesAgeOffset, set.taken)
		}
	}
	if err == nil && now.tellsServices() {
		err = s.putBundle(views, &told.views)
	}
	if err == nil {
		err = s.putBundle(s.x.overrides.Load(), &told.orders)
	}
	return err
}

// putRounds tells what the peer has not heard of services.
func (s *session) putRounds(told *writing) error {
	if s.resend.Swap(false) {
		told.services = 0
	}
	rounds := s.x.stream.since(told.services)
	s.putDocument(told) // that they were made by
	for _, r := range rounds {
		told.services = r.number
		var flags uint8
		if r.anew {
			flags = flagAnew
		}
		if err := s.putParts(FrameChanges, r.parts, flags, changesAgeOffset, r.taken); err != nil {
			return err
		}
	}
	return nil
}

// putBundle tells a bundle, unless it was told: number is the last one that was.
func (s *session) putBundle(set *bundle, number *uint64) error {
	if set == nil || set.number == *number {
		return nil
	}
	*number = set.number
	return s.putParts(set.kind, set.parts, 0, bundleAgeOffset, set.taken)
}

// putParts adds all parts of a set, with its age where they have it: a set that was begun is finished, unless the session ends.
func (s *session) putParts(kind FrameType, parts [][]byte, flags uint8, ageOffset int, taken time.Time) error {
	for i, part := range parts {
		f := flags
		if i < len(parts)-1 {
			f |= flagMore
		}
		err := s.putLarge(kind, f, func(b []byte) []byte {
			start := len(b)
			b = append(b, part...)
			binary.BigEndian.PutUint32(b[start+ageOffset:], milliseconds32(time.Since(taken)))
			return b
		})
		if err != nil || s.isEnding() {
			return err
		}
	}
	return nil
}

// putDocument tells of a new document: what follows may be right by that only.
func (s *session) putDocument(told *writing) {
	if s.version >= 2 && s.x.opts.Digest() != told.digest {
		s.putKeepAlive(told)
	}
}

func (s *session) putKeepAlive(told *writing) {
	s.put(FrameKeepAlive, 0, func(b []byte) []byte {
		now := time.Now()
		k := keepAlive{stamp: s.x.stamp(now), clock: now, digest: s.x.opts.Digest()}
		told.digest = k.digest
		s.mu.Lock()
		s.path.echo(&k, now)
		k.heard, k.silence = s.heard, now.Sub(s.heardAt)
		s.mu.Unlock()
		return k.append(b)
	})
}

// sendFarewell sends the last frame, if there is one. A frame that was cut short before it makes it unreadable, which is
// no loss: the peer was not reading.
func (s *session) sendFarewell() {
	s.mu.Lock()
	farewell := s.farewell
	s.mu.Unlock()
	if farewell != nil {
		s.put(FrameLeaving, 0, farewell.append)
		_ = s.flush()
	}
}

// put adds a frame to what is written next.
func (s *session) put(kind FrameType, flags uint8, encode func([]byte) []byte) {
	s.out = appendFrame(s.out, kind, flags, s.sent.Add(1), encode)
}

// putLarge adds a frame, and writes when there is much.
func (s *session) putLarge(kind FrameType, flags uint8, encode func([]byte) []byte) error {
	s.put(kind, flags, encode)
	if len(s.out) < writeAt {
		return nil
	}
	return s.flush()
}

// flush writes what was put, within the keepalive timeout.
func (s *session) flush() error {
	if len(s.out) == 0 {
		return nil
	}
	s.extend(s.conn.SetWriteDeadline, s.x.opts.KeepaliveTimeout)
	n, err := s.conn.Write(s.out)
	s.written.Add(uint64(n))
	if s.out = s.out[:0]; cap(s.out) > keepBuffer {
		s.out = nil
	}
	if err != nil {
		return fmt.Errorf("write to site %q: %w", s.peer.site, err)
	}
	return nil
}
