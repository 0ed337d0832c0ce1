package sites

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"go.uber.org/zap"

	"fairlead/mep"
)

// Records is all overrides for other sites, ended ones included, with times left as of now.
func (s *Overrides) Records(now time.Time) []mep.OverrideRecord {
	all := s.list(func(o *Override) bool { return o.kept(now) })
	out := make([]mep.OverrideRecord, len(all))
	for i := range all {
		o := &all[i]
		out[i] = mep.OverrideRecord{Kind: uint8(o.Kind), Action: uint8(o.Action), Revision: o.Revision, Age: max(now.Sub(o.Set), 0),
			Name: o.Name, Site: o.Site, Owner: o.Owner, Reason: o.Reason}
		switch {
		case o.Action == Release:
			out[i].Remaining = MaxOverride // whoever forgets those that are over hears it anew
		case !o.Until.IsZero():
			out[i].Remaining = o.Until.Sub(now)
		}
	}
	return out
}

func (s *Overrides) heard(o *Override) {
	s.log.Info("override.heard", o.fields()...)
	s.opts.Heard(*o)
}

// Merge takes in what another site holds; age is how old that was when it arrived, at now. Of two for one name the later
// one counts, wherever it was given. It reports whether anything changed.
func (s *Overrides) Merge(records []mep.OverrideRecord, age time.Duration, now time.Time) bool {
	type change struct{ old, now Override }
	var news []change
	s.mu.Lock()
	most, crowded := s.revision+maxLead, false
	for i := range records {
		o, ok := overrideOf(&records[i], age, now)
		if ok && o.Revision > most {
			s.tooFarAhead(&o)
			continue
		}
		if !ok {
			continue
		}
		s.revision = max(s.revision, o.Revision)
		old := s.entries[overrideKey{o.Kind, o.Name}]
		if s.take(o, &crowded) {
			news = append(news, change{old, o})
		}
	}
	s.mu.Unlock()
	for i := range news {
		switch n := &news[i]; {
		case !n.now.ended():
			s.heard(&n.now)
		case n.old.Action == 0 || n.old.ended(): // what it ended was not heard here
		case n.old.Revision == n.now.Revision && n.old.Site == n.now.Site:
			s.log.Info("override.expired", n.old.fields()...) // there a moment before, as clocks and ticks differ
		default:
			s.heard(&n.now)
		}
	}
	if len(news) > 0 {
		s.opts.Changed()
	}
	return len(news) > 0
}

// tooFarAhead logs a record that is left out. s.mu is held.
func (s *Overrides) tooFarAhead(o *Override) {
	if !s.ahead {
		s.ahead = true
		s.log.Error("override.left_out", zap.String("why", "its revision is too far ahead to be one"), zap.Uint64("revision", o.Revision),
			zap.Uint64("here", s.revision), zap.String("name", o.Name), zap.String("site", o.Site))
	}
}

// take stores an override that is later than the one there. crowded is set when there is no room for another. s.mu is held.
func (s *Overrides) take(o Override, crowded *bool) bool {
	key := overrideKey{o.Kind, o.Name}
	old, had := s.entries[key]
	full := !had && len(s.entries) >= MaxOverrides
	switch {
	case had && !o.after(&old), full && o.ended():
		return false
	case full && (*crowded || !s.room()):
		if *crowded = true; !s.full {
			s.full = true
			s.log.Error("override.left_out", zap.String("why", "there are too many"), zap.Int("limit", MaxOverrides), zap.String("name", o.Name))
		}
		return false
	}
	s.entries[key] = o
	return true
}

// overrideOf reads a record. What this version does not know, and what has ended, is left.
func overrideOf(r *mep.OverrideRecord, age time.Duration, now time.Time) (Override, bool) {
	o := Override{Kind: OverrideKind(r.Kind), Name: r.Name, Action: OverrideAction(r.Action), Owner: r.Owner, Reason: r.Reason,
		Revision: r.Revision, Site: r.Site, Set: now.Add(-age - r.Age)}
	if !o.known() || r.Revision > maxRevision {
		return o, false
	}
	if o.Action == Hold {
		return o, true
	}
	left := min(r.Remaining, MaxOverride) - age
	o.Until = now.Add(left)
	return o, o.kept(now)
}

// known reports whether kind and action are, and belong together.
func (o *Override) known() bool {
	switch o.Kind {
	case OfService, OfSite, OfServiceGroup, OfVirtualServerUse:
		return o.Action >= Enable && o.Action <= Clear
	case OfVirtualServer:
		return o.Action == Hold || o.Action == Release
	}
	return false
}

// savedOverrides is the form in which overrides outlast a restart.
type savedOverrides struct {
	Version   int             `json:"version"`
	Revision  uint64          `json:"revision"` // greatest one seen: the next one must be above it although it has ended
	Overrides []savedOverride `json:"overrides"`
}

type savedOverride struct {
	Kind     OverrideKind   `json:"kind"`
	Name     string         `json:"name"`
	Action   OverrideAction `json:"action"`
	Owner    string         `json:"owner"`
	Reason   string         `json:"reason"`
	Set      time.Time      `json:"set"`
	Until    time.Time      `json:"until,omitzero"`
	Revision uint64         `json:"revision"`
	Site     string         `json:"site"`
}

const (
	savedVersion = 1
	// maxSavedBytes bounds what is read back.
	maxSavedBytes = 16 << 20
)

// Save writes all overrides for Restore.
func (s *Overrides) Save(w io.Writer) error {
	s.mu.Lock()
	out := savedOverrides{Version: savedVersion, Revision: s.revision, Overrides: []savedOverride{}}
	s.mu.Unlock()
	for _, o := range s.list(func(*Override) bool { return true }) {
		out.Overrides = append(out.Overrides, savedOverride(o))
	}
	return json.NewEncoder(w).Encode(out)
}

// Restore takes in what Save wrote. Times are this machine's: an override ends when it would have ended, and never lasts
// longer than it was given for, should the clock have been set back.
func (s *Overrides) Restore(r io.Reader, now time.Time) error {
	var in savedOverrides
	if err := json.NewDecoder(io.LimitReader(r, maxSavedBytes)).Decode(&in); err != nil {
		return fmt.Errorf("read overrides: %w", err)
	}
	if in.Version != savedVersion {
		return fmt.Errorf("read overrides: version %d is not %d", in.Version, savedVersion)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revision = max(s.revision, min(in.Revision, maxRevision))
	crowded := false
	for _, saved := range in.Overrides {
		o := Override(saved)
		if !o.known() || !mep.ValidServiceName(o.Name) || o.Revision > maxRevision || o.Until.IsZero() != (o.Action == Hold) {
			continue
		}
		if back := o.Set.Sub(now); back > 0 {
			if o.Set = now; !o.Until.IsZero() {
				o.Until = o.Until.Add(-back)
			}
		}
		if latest := now.Add(MaxOverride); o.Until.After(latest) {
			o.Until = latest
		}
		s.revision = max(s.revision, o.Revision)
		if o.kept(now) {
			s.take(o, &crowded)
		}
	}
	return nil
}
