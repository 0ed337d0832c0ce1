package schedule

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestWheelAgainstList: whatever is inserted, removed and waited for, the wheel gives out what a plain list of all jobs would,
// and never says that nothing is to be done for longer than that is so.
func TestWheelAgainstList(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		start := []int64{0, 63, 1<<30 - 5, 1<<36 - 1, 1<<62 - 100}[seed%5]
		w, now := &wheel{now: start}, start
		var in []*Job
		for step := range 3000 {
			switch k := r.IntN(10); {
			case k < 5:
				far := int64(1) << r.IntN(40)
				if start > 1<<61 {
					far = 50
				}
				j := &Job{ID: uint64(step), due: now + 1 + r.Int64N(far)}
				w.insert(j)
				in = append(in, j)
			case k < 7 && len(in) > 0:
				i := r.IntN(len(in))
				w.remove(in[i])
				in = slices.Delete(in, i, i+1)
			default:
				to := now + r.Int64N(int64(1)<<r.IntN(12))
				if next, ok := w.next(); ok && r.IntN(4) == 0 && next-now < 1<<20 {
					to = next
				}
				in = checkAdvance(t, w, in, to)
				now = to
			}
			checkNext(t, w, in)
			if t.Failed() {
				t.Fatalf("seed %d, step %d", seed, step)
			}
		}
	}
}

// checkAdvance compares what falls due until a tick, and returns the rest.
func checkAdvance(t *testing.T, w *wheel, in []*Job, to int64) (rest []*Job) {
	t.Helper()
	var due jobList
	w.advance(to, &due)
	got, last := make(map[*Job]bool), int64(math.MinInt64)
	for j := due.pop(); j != nil; j = due.pop() {
		if got[j] = true; j.due < last {
			t.Errorf("a job due at %d came after one due at %d", j.due, last)
		}
		last = j.due
	}
	for _, j := range in {
		if want := j.due <= to; want != got[j] {
			t.Errorf("at %d: job due at %d: got %v, want %v", to, j.due, got[j], want)
		}
		if j.due > to {
			rest = append(rest, j)
		}
	}
	return rest
}

func checkNext(t *testing.T, w *wheel, in []*Job) {
	t.Helper()
	next, ok := w.next()
	if ok != (len(in) > 0) {
		t.Fatalf("next: %v with %d jobs in", ok, len(in))
	}
	count := 0
	w.each(func(*Job) { count++ })
	if count != len(in) {
		t.Errorf("%d jobs in the wheel, want %d", count, len(in))
	}
	earliest := int64(math.MaxInt64)
	for _, j := range in {
		earliest = min(earliest, j.due)
	}
	if ok && (next <= w.now || next > earliest) {
		t.Errorf("next is %d at %d, the earliest job is due at %d", next, w.now, earliest)
	}
	if ok && earliest>>wheelBits == w.now>>wheelBits && next != earliest {
		t.Errorf("next is %d, want exactly %d: it is near", next, earliest)
	}
}
