package guard

// Refused is the error of a destination that probes do not reach. It is told as the reason of a failed probe or read.
type Refused struct {
	Destination string // the address, or the path of a socket
	Name        string // the name that led there; "" when the address itself was asked for
	Why         string // "a link-local address"
	Key         string // key of the node file that changes it; "" when nothing does
}

func refuse(destination, why, key string) *Refused {
	return &Refused{Destination: destination, Why: why, Key: key}
}

// Error says what is not reached, why, and what changes it.
func (r *Refused) Error() string {
	text := "probes do not reach " + r.Destination
	if r.Name != "" {
		text += ", which " + r.Name + " resolves to"
	}
	text += ": " + r.Why
	if r.Key != "" {
		text += " (node file: " + r.Key + ")"
	}
	return text
}
