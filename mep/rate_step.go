package mep

import (
	"math"
	"math/bits"
)

// Rates and times vary all the time, and nobody decides by their last digits. In Changes they travel as steps of a scale that is
// exact below exactSteps, and has stepsPerDoubling steps from each power of two to the next above: 0.4 to 0.8 percent apart.
const (
	stepsPerDoubling = 128
	exactSteps       = 2 * stepsPerDoubling
	// stepsApart is how many steps a value has to move before it is told again: between 1.2 and 2.4 percent. Of values below
	// exactSteps it is one part in exactApart.
	stepsApart = 3
	exactApart = 64
	// lastStep stands for the greatest value.
	lastStep = exactSteps + 56*stepsPerDoubling
)

// stepOf returns the step that is nearest to v.
func stepOf(v uint64) int64 {
	if v < exactSteps {
		return int64(v)
	}
	e := bits.Len64(v) - bits.Len64(stepsPerDoubling)
	m := v>>e + v>>(e-1)&1
	if m == 2*stepsPerDoubling {
		m, e = stepsPerDoubling, e+1
	}
	return exactSteps + int64(e-1)*stepsPerDoubling + int64(m-stepsPerDoubling)
}

// atStep returns the value of a step. Those below 0 count as 0, those above the last one as the last one.
func atStep(i int64) uint64 {
	switch {
	case i <= 0:
		return 0
	case i < exactSteps:
		return uint64(i)
	case i >= lastStep:
		return math.MaxUint64
	}
	e := (i-exactSteps)/stepsPerDoubling + 1
	return uint64(stepsPerDoubling+(i-exactSteps)%stepsPerDoubling) << e
}

// movedOn reports whether a rate has moved so far that it is told again.
func movedOn(told, now uint64) bool {
	if told < exactSteps && now < exactSteps {
		return max(told, now)-min(told, now) > told/exactApart
	}
	apart := stepOf(told) - stepOf(now)
	return apart >= stepsApart || apart <= -stepsApart
}

// zigzag makes small numbers of either sign small ones without.
func zigzag(v int64) uint64   { return uint64(v<<1) ^ uint64(v>>63) }
func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }
