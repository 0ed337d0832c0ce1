package demo

import (
	"context"
	"time"
)

// failing is the web server that fails in the story. It is the first choice of dr.demo.test.
const failing = "ams-2"

// stage is what a story is played on.
type stage interface {
	Fail(service string)
	Heal(service string)
	Cut()
	Join()
}

// scene is one thing that happens in the story.
type scene struct {
	After   time.Duration // since the beginning
	Name    string        // of the event that announces it
	Subject string
	Text    string
	play    func(stage)
}

// story is what happens when nobody does anything: a server fails, the sites lose each other, all heals.
func story() []scene {
	return []scene{
		{20 * time.Second, "story.fail", failing, "now answers 503: both sites will see it within two probes, and dr moves to nyc",
			func(s stage) { s.Fail(failing) }},
		{40 * time.Second, "story.cut", "mep", "the link between the sites is cut: each goes on by what its own monitors see",
			func(s stage) { s.Cut() }},
		{60 * time.Second, "story.heal", "all", "the server answers again and the link is back: both sites will agree again",
			func(s stage) { s.Heal(failing); s.Join() }},
	}
}

// tellStory plays scenes at their times, announcing each, until the last one or the end of ctx.
func tellStory(ctx context.Context, scenes []scene, on stage, tell func(event)) {
	began := time.Now()
	for _, s := range scenes {
		timer := time.NewTimer(time.Until(began.Add(s.After)))
		select {
		case now := <-timer.C:
			tell(event{At: now, Name: s.Name, Subject: s.Subject, Text: s.Text})
			s.play(on)
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}
