package monitors

import "fairlead/config"

// Conclude is the verdict of a calculated target that follows from the verdicts of its parts: of[i][j] is about Parts[i].Targets[j].
func (c *Calculated) Conclude(of [][]Verdict) Verdict {
	d := newDerived(c)
	var s sum
	for i := range c.Parts {
		var voices []voice
		for j := range c.Parts[i].Targets {
			v := of[i][j]
			if c.Parts[i].Targets[j].Monitor.Type == config.MonitorPassive && v.State == Unknown {
				v.State, v.Reason = Up, noReport
			}
			voices = append(voices, &heard{v, keyOf(&c.Parts[i].Targets[j])})
		}
		s.add(c.Parts[i].Name, c.Parts[i].Absent, voices)
	}
	v := s.verdict(d.need)
	v.Service, v.Monitor, v.Address = c.Service, c.Monitor.Name, c.Address
	return v
}

// heard is a voice that says one thing.
type heard struct {
	verdict Verdict
	of      targetKey
}

func (h *heard) holds() (Verdict, bool) { return h.verdict, h.verdict.State != Unknown }
func (h *heard) key() targetKey         { return h.of }
