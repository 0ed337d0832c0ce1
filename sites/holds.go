package sites

import (
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
		usable := !held && s.Usable(gslb.VirtualServerIndex(i))
		next[v.Name] = usable
		if !h.usable[v.Name] || usable || held {
			continue
		}
		_, err := h.overrides.Give(Order{Kind: OfVirtualServer, Name: v.Name, Action: Hold, Owner: latchOwner,
			Reason: "no member was usable, and backup_hold is set"}, now)
		latched = latched || err == nil
	}
	h.usable = next
	return latched
}
