package transfer

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/zap"
)

// install makes a transferred version the one that is served, or leaves the one before.
func (s *Secondary) install(h *held, got fetched, from target) error {
	if err := checkTop(got.zone); err != nil {
		return err
	}
	h.mu.Lock()
	old, expired := h.image, h.expired
	h.image, h.expired = got.zone, false
	h.mu.Unlock()
	if err := s.publish(h.id); err != nil {
		h.mu.Lock()
		h.image, h.expired = old, expired
		h.mu.Unlock()
		return fmt.Errorf("serial %d cannot be served: %w", got.serial, err)
	}
	if err := s.store(h, got.zone, s.now()); err != nil {
		s.log.Error("dns.secondary.file_unusable", zap.String("zone", h.id), zap.Error(err),
			zap.String("then", "the zone is served, and kept when its primary is asked next"))
	}
	s.log.Info("dns.secondary.updated", zap.String("zone", h.id), zap.Uint32("serial", got.serial), zap.String("form", got.form),
		zap.String("primary", from.address), zap.Int("records", got.zone.records))
	return nil
}

// store keeps a version and when it was confirmed. A file of another version is never confirmed: it could not be written
// at the time, or somebody took it away.
func (s *Secondary) store(h *held, i *image, at time.Time) error {
	if h.kept == i {
		if err := s.keep.confirm(h.id, at); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	err := s.keep.save(h.id, h.name, i, at)
	if err == nil {
		h.kept = i
	}
	return err
}

// checkTop refuses a version that no server could answer from.
func checkTop(i *image) error {
	found := false
	name, err := wireName(zoneName(i.soa.Hdr.Name))
	if err != nil {
		return err
	}
	err = eachRecord(i.wire, func(wire []byte) error {
		fixed, ok := skipName(wire, 0)
		if ok && string(wire[:fixed]) == string(name) && wire[fixed] == 0 && wire[fixed+1] == byte(dns.TypeNS) {
			found = true
		}
		return nil
	})
	if err == nil && !found {
		err = errors.New("the zone has no NS record at its top")
	}
	return err
}

// confirmed notes that what is here is the newest version.
func (s *Secondary) confirmed(h *held, got fetched, from target) time.Duration {
	now := s.now()
	h.mu.Lock()
	failure, wasExpired := h.failure, h.expired
	behind := newer(h.image.soa.Serial, got.serial)
	say := behind && !h.behind
	current := h.image
	here := current.soa.Serial
	h.confirmed, h.failure, h.refused, h.expired, h.behind = now, "", 0, false, behind
	wait := early(timersOf(h.image.soa).refresh)
	h.mu.Unlock()
	if wasExpired {
		if err := s.publish(h.id); err != nil {
			return s.failed(h, fmt.Errorf("serial %d cannot be served: %w", here, err), true)
		}
	}
	if got.zone == nil {
		if err := s.store(h, current, now); err != nil {
			s.log.Warn("dns.secondary.file_unusable", zap.String("zone", h.id), zap.Error(err))
		}
	}
	if say {
		s.log.Warn("dns.secondary.behind", zap.String("zone", h.id), zap.String("primary", from.address), zap.Uint32("its", got.serial),
			zap.Uint32("here", here), zap.String("why", "the primary's serial went back; raise it above the one here (RFC 1982)"))
	}
	if failure != "" {
		s.log.Info("dns.secondary.recovered", zap.String("zone", h.id), zap.String("primary", from.address))
	}
	return wait
}

// failed notes a round without success, and expires the zone when its time is over.
func (s *Secondary) failed(h *held, err error, rejected bool) time.Duration {
	h.mu.Lock()
	said := h.failure
	h.failure = err.Error()
	wait, expires := h.next(s.now(), rejected)
	h.mu.Unlock()
	if said == "" {
		s.log.Warn("dns.secondary.failed", zap.String("zone", h.id), zap.Error(err), zap.Duration("again_in", wait))
	}
	if expires {
		s.log.Error("dns.secondary.expired", zap.String("zone", h.id), zap.String("then", "SERVFAIL until a primary answers"))
		if err := s.publish(h.id); err != nil {
			s.log.Error("dns.secondary.unusable", zap.String("zone", h.id), zap.Error(err))
		}
	}
	return wait
}

// next is the time to the next round after one that failed, and whether the zone expires now. The SOA says how often;
// without one, and when a primary has a version that cannot be served, the time doubles.
func (h *held) next(now time.Time, rejected bool) (wait time.Duration, expires bool) {
	if h.image == nil || rejected {
		wait = min(firstRetry<<min(h.refused, maxDoublings), lastRetry)
		h.refused++
	}
	if h.image == nil {
		return wait, false
	}
	t := timersOf(h.image.soa)
	wait = early(max(wait, t.retry))
	left := t.expire - now.Sub(h.confirmed)
	if left > 0 {
		return min(wait, left), false
	}
	expires = !h.expired
	h.expired = true
	return wait, expires
}
