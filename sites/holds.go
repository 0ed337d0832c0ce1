package sites

import (
	"slices"
	"time"

	"fairlead/config"
	"fairlead/gslb"
)

// latchOwner is whom a hold belongs to that nobody ordered.
const latchOwner = "fairlead"

// Holds finds the moment at which a virtual server with backup_hold goes to its backup. It belongs to one goroutine.
type Holds struct {
	overrides *Overrides
	usable    map[string]bool // by virtual server with backup_hold: it had a usable member in this process's time
	latched   []Override      // by this node, within a suspicion's window
}

// NewHolds returns a Holds that latches in o.
func NewHolds(o *Overrides) *Holds { return &Holds{overrides: o} }

// Held is Status.Held for a plan. Nil: none is held.
func (h *Holds) Held(doc *config.Document, plan *gslb.Plan) []bool {
	var out []bool
	for i := range doc.VirtualServers {
		if v := &doc.VirtualServers[i]; v.BackupHold && h.overrides.Held(v.Name) {
			if out == nil {
				out = make([]bool, plan.VirtualServers())
			}
			out[i] = true
		}
	}
	return out
}

// Observe latches the virtual servers that lost their last usable member since the last call. One that was never usable
// here is not latched: this node has just started, and knows nothing yet. It reports whether one was.
func (h *Holds) Observe(doc *config.Document, s *gslb.Snapshot, now time.Time) bool {
	next, latched := make(map[string]bool, len(h.usable)), false
	for i := range doc.VirtualServers {
		v := &doc.VirtualServers[i]
		if !v.BackupHold || v.Backup == "" {
			continue
		}
		held := i < len(s.Status.Held) && s.Status.Held[i]
		if i < len(s.Status.Ordered) && s.Status.Ordered[i].State == gslb.Disabled {
			next[v.Name] = h.usable[v.Name] // an operator took it out for a time: that is no loss, and ends by itself
			continue
		}
		usable := !held && s.Usable(gslb.VirtualServerIndex(i))
		next[v.Name] = usable
		if !h.usable[v.Name] || usable || held {
			continue
		}
		o, err := h.overrides.Give(Order{Kind: OfVirtualServer, Name: v.Name, Action: Hold, Owner: latchOwner,
			Reason: "no member was usable, and backup_hold is set"}, now)
		if err == nil {
			h.latched, latched = append(h.latched, o), true
		}
	}
	h.usable = next
	h.reconsider(s.Status.Alarm != "", doc.Settings.Suspicion.Window.Std(), now)
	return latched
}

// reconsider takes back what was latched within the window before this node began to suspect itself: it sees the members as
// they were before, and its blindness is no reason for all sites to stay on the backup.
func (h *Holds) reconsider(suspicion bool, window time.Duration, now time.Time) {
	h.latched = slices.DeleteFunc(h.latched, func(o Override) bool { return now.Sub(o.Set) > window })
	if !suspicion {
		return
	}
	for _, o := range h.latched {
		if !h.overrides.stands(&o) {
			continue // released, or another site has latched it since
		}
		if _, err := h.overrides.Give(Order{Kind: OfVirtualServer, Name: o.Name, Action: Release, Owner: latchOwner,
			Reason: "the node that held it suspects itself"}, now); err == nil {
			h.usable[o.Name] = true // should it be lost after all, it is held
		}
	}
	h.latched = nil
}
