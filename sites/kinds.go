package sites

import (
	"time"

	"fairlead/config"
)

// kinds is what follows for belief from how a document's monitors come to their verdicts.
type kinds struct {
	// passive ones go by what a load source tells.
	passive map[string]bool
	// hearsay ones only repeat what the owner of a service tells of it: passive ones, and what is calculated of nothing else.
	hearsay map[string]bool
	// intervals is how far apart the results of each may be: of a calculated one those of its slowest part.
	intervals map[string]time.Duration
}

func newKinds(doc *config.Document) *kinds {
	k := &kinds{intervals: make(map[string]time.Duration, len(doc.Monitors))}
	calculated := make(map[string]*config.CalculatedProbe)
	for i := range doc.Monitors {
		m := &doc.Monitors[i]
		switch k.intervals[m.Name] = m.Interval.Std(); m.Type {
		case config.MonitorPassive:
			if k.passive == nil {
				k.passive, k.hearsay = make(map[string]bool), make(map[string]bool)
			}
			k.passive[m.Name], k.hearsay[m.Name] = true, true
		case config.MonitorCalculated:
			calculated[m.Name] = config.SectionOf(m.Calculated)
		}
	}
	for range config.MaxCalculatedDepth { // each time one level more is right; a document that was validated has no more
		for name, c := range calculated {
			hearsay := len(c.Monitors) > 0 && k.passive != nil
			for _, part := range c.Monitors {
				k.intervals[name] = max(k.intervals[name], k.intervals[part.Monitor])
				hearsay = hearsay && k.hearsay[part.Monitor]
			}
			if hearsay {
				k.hearsay[name] = true
			}
		}
	}
	return k
}

// hearsayOnly reports whether all monitors of a service only repeat what its owner tells. One without monitors has none.
func (k *kinds) hearsayOnly(s *config.Service) bool {
	for _, bound := range s.Monitors {
		if !k.hearsay[bound.Monitor] {
			return false
		}
	}
	return len(s.Monitors) > 0
}
