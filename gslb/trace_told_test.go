package gslb

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"fairlead/config"
)

// TestTraceTellsTheArithmetic: where TTL and scope come from, whose turn it is, and what would be learned.
func TestTraceTellsTheArithmetic(t *testing.T) {
	sessions := config.Persistence{Type: config.PersistenceSourceIP, Timeout: config.Duration(2 * time.Minute), Prefix4: 20, Prefix6: 56}
	doubtful := twoSites(config.VirtualServer{Method: config.RoundRobin})
	doubtful.doc.Settings.Answers = config.AnswerSettings{AdaptiveTTL: true, LeastTTL: config.Duration(5 * time.Second)}
	st := doubtful.status["b"]
	st.Doubt = DoubtFlapping
	doubtful.status["b"] = st
	tests := []struct {
		name  string
		world *world
		step  Step
		want  []string
	}{
		{"nothing", twoSites(config.VirtualServer{Method: config.RoundRobin}), StepAnswer, []string{"scope 0: no step depended on the client's address"}},
		{"doubt", doubtful, StepAnswer, []string{"TTL 5 s, lowered from", "while b is uncertain: flapping"}},
		{"scope", twoSites(config.VirtualServer{Method: config.SourceIPHashing, Persistence: sessions}), StepAnswer,
			[]string{"scope 24, the most bits of the client's address that a step needed: sessions 20, source-ip-hash 24"}},
		{"turn", twoSites(config.VirtualServer{Method: config.RoundRobin}), StepMethod, []string{"; turn 1 of 2"}},
		{"phase", twoSites(config.VirtualServer{Method: config.LeastConnection}).load("a", 9, 0).load("b", 4, 0), StepMethod,
			[]string{"answer 1 of this snapshot: b has the lowest level; a joins after 5 more"}},
		{"all share", twoSites(config.VirtualServer{Method: config.LeastConnection}).load("a", 4, 0).load("b", 4, 0), StepMethod, []string{"a, b share"}},
		{"learned", twoSites(config.VirtualServer{Method: config.LeastConnection}).load("a", 9, 0).load("b", 4, 0), StepLearn,
			[]string{"an answer is counted for b", "the turn is taken"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, l := tt.world.snapshot(t)
			l.Sessions = NewSessions(SessionOptions{Max: 16})
			var tr Trace
			Decide(s, Query{Family: IPv4, LDNS: netip.MustParseAddr(client), Subnet: netip.MustParsePrefix("198.51.100.0/24"), At: oracleNow}, l.Copy(), epoch, &tr)
			for _, e := range tr.Entries {
				if e.Step != tt.step {
					continue
				}
				for _, want := range tt.want {
					if !strings.Contains(e.Detail, want) {
						t.Errorf("%s says %q, want %q in it", e.Step, e.Detail, want)
					}
				}
				return
			}
			t.Errorf("no step %s in %+v", tt.step, tr.Entries)
		})
	}
}
