package sites

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// population is connections that answers bring, and that end by chance.
type population struct {
	rng       *rand.Rand
	perAnswer float64
	life      time.Duration
	active    float64
}

// step lets answers come evenly over a time, in small parts.
func (p *population) step(answers int, d time.Duration) {
	const parts = 50
	stays := math.Exp(-d.Seconds() / parts / p.life.Seconds())
	for range parts {
		p.active = p.active*stays + float64(answers)/parts*p.perAnswer
	}
	p.active += p.rng.NormFloat64() * math.Sqrt(p.active) * 0.2 // chance
}

// TestHabitIsLearned: from reports and counts of answers alone it follows how much an answer brings and how soon that ends.
func TestHabitIsLearned(t *testing.T) {
	tests := []struct {
		name      string
		perAnswer float64
		life      time.Duration
		every     time.Duration
		most      float64 // factor of error
	}{
		{"one each, short", 1, 2 * time.Second, time.Second, 1.4},
		{"one each, long", 1, time.Minute, time.Second, 1.4},
		{"four each", 4, 5 * time.Second, time.Second, 1.4},
		{"behind large resolvers", 200, 20 * time.Second, time.Second, 1.4},
		{"slow reports", 3, 20 * time.Second, 5 * time.Second, 1.4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := &population{rng: rand.New(rand.NewPCG(1, 2)), perAnswer: tt.perAnswer, life: tt.life}
			var h habit
			for range 300 {
				answers, before := 20+p.rng.IntN(60), p.active
				p.step(answers, tt.every)
				h.learn(before, p.active, float64(answers), tt.every)
			}
			r := h.rate(startPerAnswer, leastPerAnswer)
			for what, k := range map[string]float64{"guessed": r.guess, "sure": r.sure} {
				if off := max(k/tt.perAnswer, tt.perAnswer/k); off > tt.most {
					t.Errorf("%s: %.2f for each answer, want %.2f", what, k, tt.perAnswer)
				}
			}
			if life := 1 / r.ending; max(life/tt.life.Seconds(), tt.life.Seconds()/life) > tt.most {
				t.Errorf("a life of %.1f s, want %v", life, tt.life)
			}
			// What it foretells is what comes, also after a burst.
			before := p.active
			p.step(200, tt.every)
			got := before + h.expected(before, 200, tt.every, r)
			if math.Abs(got-p.active) > 0.15*p.active {
				t.Errorf("foretold %.0f, came to %.0f", got, p.active)
			}
		})
	}
}

// TestHabitIsBounded: whatever reports say, what follows is finite, and never less than nothing is left.
func TestHabitIsBounded(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	values := []float64{0, 1, 1e3, 1 << 53}
	for range 2000 {
		var h habit
		before := 0.0
		for range rng.IntN(20) {
			after := values[rng.IntN(len(values))]
			h.learn(before, after, float64(rng.IntN(3))*rng.Float64()*1e6, time.Duration(1+rng.Int64N(int64(time.Hour))))
			before = after
		}
		start := float64(rng.IntN(2))
		r := h.rate(start, 0.25*start)
		expected := h.expected(before, float64(rng.IntN(1e6)), time.Duration(rng.Int64N(int64(time.Hour))), r)
		for what, v := range map[string]float64{"guess": r.guess, "sure": r.sure, "ending": r.ending, "expected": expected} {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Fatalf("%s is %v after %+v", what, v, h)
			}
		}
		if r.guess < 0 || r.sure < 0 || r.ending < 0 || before+expected < -1e-6*before {
			t.Fatalf("%+v, expected %v of %v after %+v", r, expected, before, h)
		}
	}
}

func TestHabitWithoutEvidence(t *testing.T) {
	var h habit
	none := rate{guess: 1, sure: 1}
	if got := h.rate(1, 0.25); got != none {
		t.Errorf("nothing learned: %+v, want the first guess, and nothing ends", got)
	}
	if got := h.expected(100, 7, time.Second, none); got != 7 {
		t.Errorf("7 answers are expected to bring %v", got)
	}
	h.learn(50, 20, 0, time.Second)
	if got := h.rate(1, 0.25); got != none {
		t.Errorf("no answers: %+v, want the first guess", got)
	}
}

// TestHabitOutlivesNonsense: one report that is far off, as of a counter that broke, is forgotten within a few minutes, and
// never does more than a few times the truth.
func TestHabitOutlivesNonsense(t *testing.T) {
	for _, nonsense := range []float64{1e4, 1e9, 1 << 53} {
		p := &population{rng: rand.New(rand.NewPCG(1, 2)), perAnswer: 1, life: 5 * time.Second}
		var h habit
		report := func(tell func(float64) float64) {
			before := p.active
			p.step(20+p.rng.IntN(60), time.Second)
			h.learn(before, tell(p.active), 50, time.Second)
		}
		truth := func(v float64) float64 { return v }
		for range 300 {
			report(truth)
		}
		report(func(float64) float64 { return nonsense })
		h.learn(nonsense, p.active, 0, time.Second)
		for i := range 240 {
			report(truth)
			if r := h.rate(startPerAnswer, leastPerAnswer); max(r.guess, r.sure) > 20 || i == 239 && max(r.guess, r.sure) > 3 {
				t.Fatalf("%g: %d s later an answer is believed to bring %.3g, %.3g for sure, it brings 1", nonsense, i+1, r.guess, r.sure)
			}
		}
	}
}

// TestCoincidenceIsNoHabit: connections that come by themselves while a few answers are given are not expected to come with the
// next ones, nor to end.
func TestCoincidenceIsNoHabit(t *testing.T) {
	type report struct{ value, answers float64 }
	idle := slices.Repeat([]report{{1, 2}, {2, 2}, {1, 1}, {1, 3}}, 8) // connections that end until the next report
	tests := []struct {
		name    string
		reports []report
	}{
		{"at the start", []report{{1, 0}, {61, 5}}},
		{"and they stay", []report{{1, 0}, {61, 5}, {61, 0}, {61, 1}}},
		{"with a few", []report{{0, 0}, {1, 2}, {1, 1}, {61, 3}}},
		{"that come in two steps", []report{{1, 0}, {31, 4}, {31, 0}, {61, 3}}},
		{"where all has ended so far", append(idle, report{61, 2})},
		{"where nothing was", append(slices.Repeat([]report{{0, 1}}, 20), report{61, 1})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var h habit
			for i := 1; i < len(tt.reports); i++ {
				h.learn(tt.reports[i-1].value, tt.reports[i].value, tt.reports[i].answers, time.Second)
				h.rate(startPerAnswer, leastPerAnswer)
			}
			r := h.rate(startPerAnswer, leastPerAnswer)
			for _, answers := range []float64{0, 4} {
				if got := h.expected(61, answers, 3*time.Second, r); got < -8 || got > 8 {
					t.Errorf("3 s and %g answers later %.1f more than 61 are expected, want about none (%+v)", answers, got, r)
				}
			}
		})
	}
}

// TestCertainty: one report that outweighs the others is no evidence, a few that agree are little, and many that agree are certain
// even if each of them is doubtful.
func TestCertainty(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	fitted := func(n int, y func(i int, x float64) float64) float64 {
		var f fit
		for i := range n {
			x := rng.NormFloat64()
			f.take(x, y(i, x))
		}
		return f.certainty()
	}
	tests := []struct {
		name        string
		n           int
		y           func(i int, x float64) float64
		least, most float64
	}{
		{"nothing", 0, nil, 0, 0},
		{"one jump among little", 30, func(i int, x float64) float64 {
			if i == 20 {
				return 1e3
			}
			return x
		}, 0, 0.1},
		{"three that agree", 3, func(_ int, x float64) float64 { return 5 * x }, 0, 0},
		{"many that agree", 200, func(_ int, x float64) float64 { return 5 * x }, 0.6, 1},
		{"many among as much chance", 200, func(_ int, x float64) float64 { return x + rng.NormFloat64() }, 0.3, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := fitted(tt.n, tt.y); got < tt.least || got > tt.most {
				t.Errorf("got %.2f, want %.2f to %.2f", got, tt.least, tt.most)
			}
		})
	}
	spurious := 0.0
	for range 200 {
		spurious += fitted(100, func(int, float64) float64 { return rng.NormFloat64() }) / 200
	}
	if spurious > 0.1 {
		t.Errorf("what has nothing to do with answers is believed by %.2f on the average, want at most 0.1", spurious)
	}
}

// TestHabitOfAnswersInUse: behind resolvers that keep answers, what an answer brings shows in how many are in use. The fit to
// answers alone sees little of it, as each takes the place of one that ends.
func TestHabitOfAnswersInUse(t *testing.T) {
	for _, tt := range []struct {
		name   string
		perUse float64
		each   float64 // of the answers in use that end, and are asked for again, from one report to the next
	}{{"a few each", 4, 0.2}, {"many each", 40, 0.2}, {"none", 0, 0.2}, {"slow reports", 10, 0.9}} {
		t.Run(tt.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(5, 6))
			var h habit
			inUse := 100.0
			active := func() float64 { return 50 + tt.perUse*inUse + rng.NormFloat64()*math.Sqrt(50+tt.perUse*inUse) }
			before := active()
			for range 200 {
				answers := inUse * tt.each
				was := inUse
				inUse = math.Max(10, 100+0.7*(inUse-100)+rng.NormFloat64()*10)
				after := active()
				h.learn(before, after, math.Max(0, answers+inUse-was), time.Second)
				h.learnUse(after-before, inUse-was)
				before = after
			}
			got := h.perUse(startPerAnswer, 1000)
			if math.Abs(got-tt.perUse) > 0.2*tt.perUse+0.4 {
				t.Errorf("%.2f for each answer in use, want %.2f", got, tt.perUse)
			}
			if got := h.perUse(startPerAnswer, 3); got > 3 {
				t.Errorf("%.2f, more than all there are", got)
			}
		})
	}
	var h habit
	if got := h.perUse(startPerAnswer, 1000); got != 0 {
		t.Errorf("without a report: %v", got)
	}
	h.learn(0, 30, 1, time.Second)
	h.learnUse(30, 1)
	if got := h.perUse(startPerAnswer, 1000); got > mostUncertain {
		t.Errorf("a coincidence makes it %.1f, want at most %d", got, mostUncertain)
	}
}
