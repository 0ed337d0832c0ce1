package schedule

import (
	"math/bits"
	"time"
)

// Shape of a wheel. Eleven levels of six bits reach every tick that an int64 can count.
const (
	// wheelTick is how finely times are told apart. What is due within one tick starts together.
	wheelTick   = 10 * time.Millisecond
	wheelBits   = 6
	wheelSlots  = 1 << wheelBits
	wheelLevels = (64 + wheelBits - 1) / wheelBits
)

// wheel is a hierarchical timing wheel: it holds jobs by the tick in which they are due, and inserts, removes and takes
// one out in constant time, however many there are. A job stands in the level of the highest digit, in base 64, in which
// its tick differs from now, in the slot of that digit; when now comes to the slot, its jobs move down to finer levels. A
// job moves at most once for each level, and with intervals of seconds three of them are used.
//
// Every job in the wheel is due after now. Hence the slots in use at a level lie after now's own digit, and all of a level
// come before all of the next: what comes next is found by two looks at bits. Jobs due in the same tick come out in the
// order in which they were inserted, apart from those that came from farther away.
//
// The zero value is empty, at tick 0. Not safe for concurrent use.
type wheel struct {
	now   int64 // the last tick that was taken out
	used  [wheelLevels]uint64
	slots [wheelLevels][wheelSlots]jobList
}

// insert puts j in by j.due, which must be after w.now.
func (w *wheel) insert(j *Job) {
	level := (bits.Len64(uint64(j.due^w.now)) - 1) / wheelBits
	slot := int(j.due>>(level*wheelBits)) & (wheelSlots - 1)
	w.slots[level][slot].push(j)
	w.used[level] |= 1 << slot
	j.level, j.slot = int8(level), int8(slot)
}

// remove takes out a job that is in.
func (w *wheel) remove(j *Job) {
	list := &w.slots[j.level][j.slot]
	if list.remove(j); list.first == nil {
		w.used[j.level] &^= 1 << j.slot
	}
}

// next is the tick before which nothing is to be done: there a job is due, or jobs move to a finer level. False: the wheel
// is empty.
func (w *wheel) next() (tick int64, ok bool) {
	level, slot, ok := w.first()
	if !ok {
		return 0, false
	}
	return w.begin(level, slot), true
}

// first is the earliest slot in use.
func (w *wheel) first() (level, slot int, ok bool) {
	for level, used := range &w.used {
		if used != 0 {
			return level, bits.TrailingZeros64(used), true
		}
	}
	return 0, 0, false
}

// begin is the first tick of a slot.
func (w *wheel) begin(level, slot int) int64 {
	shift := level * wheelBits
	return w.now>>shift&^(wheelSlots-1)<<shift | int64(slot)<<shift
}

// advance makes tick now, unless it is that already, and appends to due what falls due until then, included.
func (w *wheel) advance(tick int64, due *jobList) {
	for {
		level, slot, ok := w.first()
		if !ok {
			break
		}
		begin := w.begin(level, slot)
		if begin > tick {
			break
		}
		w.now = begin
		list := w.slots[level][slot]
		w.slots[level][slot], w.used[level] = jobList{}, w.used[level]&^(1<<slot)
		for j := list.pop(); j != nil; j = list.pop() {
			if j.due == begin {
				due.push(j)
			} else {
				w.insert(j)
			}
		}
	}
	w.now = max(w.now, tick)
}

// each calls f for every job that is in, in no order.
func (w *wheel) each(f func(*Job)) {
	for level, used := range &w.used {
		for ; used != 0; used &= used - 1 {
			w.slots[level][bits.TrailingZeros64(used)].each(f)
		}
	}
}

// jobList is a list of jobs, linked through them: a job is in one at a time. The zero value is empty.
type jobList struct {
	first, last *Job
	length      int
}

func (l *jobList) push(j *Job) {
	j.earlier, j.later = l.last, nil
	if l.last == nil {
		l.first = j
	} else {
		l.last.later = j
	}
	l.last = j
	l.length++
}

// pop takes out the first; nil when there is none.
func (l *jobList) pop() *Job {
	j := l.first
	if j != nil {
		l.remove(j)
	}
	return j
}

func (l *jobList) remove(j *Job) {
	if j.earlier == nil {
		l.first = j.later
	} else {
		j.earlier.later = j.later
	}
	if j.later == nil {
		l.last = j.earlier
	} else {
		j.later.earlier = j.earlier
	}
	j.earlier, j.later = nil, nil
	l.length--
}

func (l *jobList) each(f func(*Job)) {
	for j := l.first; j != nil; j = j.later {
		f(j)
	}
}
