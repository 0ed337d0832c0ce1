//go:build !386

package direct

import "time"

// youngFor is how long an exchange may go on before the loop has it in its books: most are over sooner, and cost neither a place among the
// deadlines nor a watch over their context. An end of the context is seen this much later, at the most.
const youngFor = 100 * time.Millisecond

// young is a list of exchanges that have begun to wait within youngFor, the eldest first, linked through them.
type young struct{ first, last *Exchange }

func (y *young) add(e *Exchange, now time.Time) {
	e.waits, e.young, e.elder, e.younger = now, true, y.last, nil
	if y.last == nil {
		y.first = e
	} else {
		y.last.younger = e
	}
	y.last = e
}

// remove takes out an exchange, if it is in.
func (y *young) remove(e *Exchange) {
	if !e.young {
		return
	}
	if e.elder == nil {
		y.first = e.younger
	} else {
		e.elder.younger = e.younger
	}
	if e.younger == nil {
		y.last = e.elder
	} else {
		e.younger.elder = e.elder
	}
	e.young, e.elder, e.younger = false, nil, nil
}

// grownUp takes out one that is not young any more; nil: there is none.
func (y *young) grownUp(now time.Time) *Exchange {
	e := y.first
	if e == nil || now.Sub(e.waits) < youngFor {
		return nil
	}
	y.remove(e)
	return e
}
