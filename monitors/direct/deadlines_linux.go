//go:build !386

package direct

// notQueued is the place of what is in no queue.
const notQueued = -1

// deadlines is a heap of exchanges, the earliest deadline first. Each knows its place.
type deadlines []*Exchange

func (d deadlines) first() *Exchange {
	if len(d) == 0 {
		return nil
	}
	return d[0]
}

func (d *deadlines) add(e *Exchange) {
	*d = append(*d, e)
	d.rise(len(*d)-1, e)
}

// remove takes out an exchange, if it is in.
func (d *deadlines) remove(e *Exchange) {
	if e.place == notQueued {
		return
	}
	last := len(*d) - 1
	moved, at := (*d)[last], e.place
	(*d)[last] = nil
	*d = (*d)[:last]
	if e.place = notQueued; moved == e {
		return
	}
	if d.rise(at, moved); moved.place == at {
		d.sink(at, moved)
	}
}

// rise puts e at a place, or above.
func (d deadlines) rise(at int, e *Exchange) {
	for at > 0 {
		above := (at - 1) / 2
		if !e.Deadline.Before(d[above].Deadline) {
			break
		}
		d[at] = d[above]
		d[at].place = at
		at = above
	}
	d[at], e.place = e, at
}

// sink puts e at a place, or below.
func (d deadlines) sink(at int, e *Exchange) {
	for {
		below := 2*at + 1
		if below >= len(d) {
			break
		}
		if right := below + 1; right < len(d) && d[right].Deadline.Before(d[below].Deadline) {
			below = right
		}
		if !d[below].Deadline.Before(e.Deadline) {
			break
		}
		d[at] = d[below]
		d[at].place = at
		at = below
	}
	d[at], e.place = e, at
}
