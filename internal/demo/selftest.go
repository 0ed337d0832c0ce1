package demo

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Limits of the self-test. They are what a loaded machine may take, not what is usual.
const (
	selfTestLimit = 60 * time.Second
	// failureLimit is fall × interval of the monitor, and two seconds for the rest.
	failureLimit = 4 * time.Second
	// recoveryLimit is rise × interval of the monitor, and two seconds for the rest.
	recoveryLimit = 3 * time.Second
	// silenceLimit is the keepalive timeout of the document, and two seconds for the rest.
	silenceLimit = 4 * time.Second
	// reconnectLimit is the longest wait between two attempts to dial, and two seconds for the rest.
	reconnectLimit = 7 * time.Second
	// loadLimit is a round of reading or pushing a load and of telling it, and two seconds for the rest.
	loadLimit = 4 * time.Second
	// leaveLimit bounds a planned stop.
	leaveLimit = 3 * time.Second
	// loadFresh is how old a load may become in the document before it counts as aged: three rounds of reading (500 ms)
	// and telling (counted as a second).
	loadFresh = 4500 * time.Millisecond
)

// SelfTest runs two sites, asks both of them everything, plays the story without its pauses and asks again. It prints a
// line for each check to Options.Out, and at last the two numbers that it returns. Story, Color and Command do not matter.
func SelfTest(ctx context.Context, o Options) (passed, failed int) {
	ctx, cancel := context.WithTimeout(ctx, selfTestLimit)
	defer cancel()
	list := &checklist{out: o.Out}
	w, err := newWorld(ctx, worldOptions{Ports: ports{any: o.FreePorts}, Tell: func(event) {}, Logger: o.Logger})
	if err != nil {
		list.equal("two sites start", err.Error(), "no error")
		list.summary()
		return list.passed, list.failed
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- w.run(running) }()
	(&selfTest{world: w, checklist: list}).play(running)
	stop()
	outcome := "without an error"
	if err := <-ended; err != nil {
		outcome = err.Error()
	}
	list.equal("everything stops", outcome, "without an error")
	list.summary()
	return list.passed, list.failed
}

// selfTest is one self-test under way.
type selfTest struct {
	*world
	*checklist
	hashBefore []string // the server of each client network while all was well
}

func (t *selfTest) play(ctx context.Context) {
	if !t.holds("both sites see all web servers UP and hear each other", await(ctx, settleLimit, t.settled),
		t.describe(), "within "+settleLimit.String()) {
		return // everything else would fail, and say less
	}
	steps := []func(context.Context){t.names, t.methods, t.reach, t.loads}
	for _, s := range story() {
		steps = append(steps, func(ctx context.Context) { s.play(t.world); t.after(ctx, s.Name) })
	}
	for _, step := range append(steps, t.siteLeaves) {
		if ctx.Err() != nil {
			t.equal("the self-test goes on", ctx.Err().Error(), "no interruption")
			return
		}
		step(ctx)
	}
}

// after checks what a scene of the story must lead to.
func (t *selfTest) after(ctx context.Context, scene string) {
	switch scene {
	case "story.fail":
		t.serverFailed(ctx)
	case "story.cut":
		t.linkCut(ctx)
	case "story.heal":
		t.healed(ctx)
	}
}

// describe says what the sites believe, for checks that fail.
func (t *selfTest) describe() string {
	var out []string
	for _, s := range t.sites {
		b := s.believed()
		out = append(out, fmt.Sprintf("%s: session %t, %v", s.Name, b.Session, b.States))
	}
	return strings.Join(out, "; ")
}

// everywhere calls f for both sites.
func (t *selfTest) everywhere(f func(at *site)) {
	for _, s := range t.sites {
		f(s)
	}
}

// awaitEverywhere waits until a condition holds at both sites, and checks that it came to that.
func (t *selfTest) awaitEverywhere(ctx context.Context, name string, limit time.Duration, holds func(at *site) bool) bool {
	began := time.Now()
	late := ""
	for _, s := range t.sites {
		if !await(ctx, max(limit-time.Since(began), pollGap), func() bool { return holds(s) }) {
			late += "not at " + s.Name + " "
		}
	}
	return t.holds(name, late == "", late+"("+t.describe()+")", "within "+limit.String())
}
