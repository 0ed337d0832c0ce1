package mep

import (
	"math"
	"time"
)

// span is the age of a record's load, or of its evidence, as receivers of Changes hold it: what was told, growing with time up
// to a bound. While a source goes on measuring, its values' age rises and falls below the bound, and nothing is told of it.
// Times are since the Exchange was made.
type span struct {
	at         time.Duration // round in which age was told
	age, bound uint32        // milliseconds
}

// unbounded is the bound of an age that grows until it is told again.
const unbounded = math.MaxUint32

// held returns the age that receivers hold at now, in milliseconds.
func (s *span) held(now time.Duration) uint32 {
	grown := uint64(s.age) + uint64(max(now-s.at, 0)/time.Millisecond)
	return uint32(min(grown, uint64(s.bound), math.MaxUint32-1))
}

// grows reports whether the age that receivers hold is still rising.
func (s *span) grows(now time.Duration) bool { return s.held(now) < s.bound }

// spanTeller decides when an age has to be told again. It learns how old the source's values get between two measurements.
type spanTeller struct {
	span
	last      uint32 // age in the round before
	peak      uint32 // greatest age since the record was told whole
	usual     uint32 // bound while nothing is wrong
	stretched uint32 // bound that the time before this one ended with, if above usual
}

// begin tells an age for the first time. floor is the least that its bound may be.
func (s *spanTeller) begin(actual, floor uint32, now time.Duration) {
	*s = spanTeller{usual: boundOf(max(actual, floor)), last: actual, peak: actual}
	s.tell(actual, now)
	s.bound = s.usual
}

func (s *spanTeller) tell(actual uint32, now time.Duration) { s.age, s.at = actual, now }

// look takes the age as it is, and reports whether it has to be told. renewed says that receivers take it for as old as it was
// told last, because a value is told; tolerance is how far they may be wrong then.
func (s *spanTeller) look(actual, floor, tolerance uint32, renewed bool, now time.Duration) bool {
	told := false
	if renewed {
		s.at = now
		told = max(actual, s.age)-min(actual, s.age) > tolerance
	}
	if actual < s.last {
		told = s.fall() || told
	}
	if least := boundOf(floor); s.usual < least {
		s.usual = least
		s.bound, told = max(s.bound, least), true
	}
	if actual > s.bound {
		s.bound, told = boundOf(actual), true
	}
	s.last, s.peak = actual, max(s.peak, actual)
	if told {
		s.tell(actual, now)
	}
	return told
}

// fall is the end of a rise: there was a measurement. A bound that was overrun once goes back to what is usual; overrun
// twice, that is usual from now on.
func (s *spanTeller) fall() bool {
	if s.bound <= s.usual {
		s.stretched = 0
		return false
	}
	if s.stretched > 0 {
		s.usual = min(s.stretched, s.bound)
	}
	s.stretched, s.bound = s.bound, s.usual
	return true
}

// whole tells the age with all of its record. A bound that was not needed since the last time comes down.
func (s *spanTeller) whole(now time.Duration) {
	if least := boundOf(s.peak); least < s.usual && s.bound == s.usual {
		s.usual, s.bound = least, least
	}
	s.peak = s.last
	s.tell(s.last, now)
}

// leastBound is the least bound of an age, in milliseconds. The others are 3/2, 2, 3, 4, 6, 8 times as much, and so on.
const leastBound = 100

// boundOf returns the least bound that an age fits under.
func boundOf(age uint32) uint32 {
	for b := uint64(leastBound); ; b *= 2 {
		switch {
		case uint64(age) <= b:
			return uint32(min(b, unbounded-1))
		case uint64(age) <= b*3/2:
			return uint32(min(b*3/2, unbounded-1))
		}
	}
}

// wireAge returns an age in milliseconds, as spans have it.
func wireAge(d time.Duration) uint32 { return uint32(min(wireMilliseconds(d), unbounded-1)) }
