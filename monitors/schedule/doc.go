// Package schedule runs thousands of jobs, each at its own interval, for little: one timing wheel, one loop, one timer. A
// job that waits costs nothing but its place in the wheel; the loop sleeps until a slot of the wheel is in use.
//
// Jobs belong to a Lane, which bounds how many of them run at once and runs them while its Run lasts. All lanes of a
// Schedule share the wheel; the first whose Run is called turns it for all, and hands that on when it ends.
//
// A job first runs within a second, and all new ones are spread over that time. Then it goes to its own place in its
// interval, which follows from its ID, and each interval varies by its jitter. Jobs with long intervals are due at
// coarser moments, so that some of them start together: they cost less so. What is missed is not made up for: a run
// that starts late moves the next one, and when the whole process stood still, the whole plan moves by as much. So
// neither a start, a pause nor a wave of jobs that take long makes a burst. Beyond its limit a lane runs first what has
// been due for longest.
package schedule
