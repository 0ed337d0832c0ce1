package agree

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// maxAsks is how many questions one search takes at most.
const maxAsks = 18

// search is asking a peer what differs.
type search struct {
	ctx  context.Context
	peer string
	own  *face
	ask  func(ctx context.Context, site string, body []byte) ([]byte, error)
	left int // questions
}

// difference is a thing that two sites have otherwise; nil: one does not have it.
type difference struct{ here, there *item }

// search finds out what differs between this site and a peer, in some topics.
func (a *Agreement) search(ctx context.Context, p *peer, own *face, list []topic) {
	ctx, cancel := context.WithTimeout(ctx, searchTimeout)
	defer cancel()
	s := &search{ctx: ctx, peer: p.Site, own: own, ask: a.opts.Ask, left: maxAsks}
	a.mu.Lock()
	settle := a.settle
	a.mu.Unlock()
	var findings []Finding
	var failed error
	// Causes first: answers that differ need no other explanation then.
	slices.SortFunc(list, func(x, y topic) int { return cmp.Compare((x+topics-1)%topics, (y+topics-1)%topics) })
	for _, t := range list {
		if t == topicDecisions && len(findings) > 0 {
			break
		}
		differences, more, err := s.topic(t)
		if err != nil {
			failed = err
			break
		}
		findings = append(findings, findingsOf(t, p.Site, differences, more, settle)...)
	}
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.searching = false
	if a.peers[p.Site] != p || p.report == nil || context.Cause(ctx) != nil && failed == nil {
		return
	}
	findings = append(findings, a.clock(p.Site)...)
	if len(findings) == 0 && failed != nil && p.strikes >= strikesToSay {
		findings = unexplained(p.Site, list, failed)
	}
	if len(findings) == 0 {
		p.strikes = min(p.strikes, strikesToAsk) // what differed was on its way, or is gone
		return
	}
	slices.SortStableFunc(findings, func(x, y Finding) int {
		return cmp.Compare(slices.Index(Causes(), x.Cause), slices.Index(Causes(), y.Cause))
	})
	a.settleOn(p, findings, now)
}

// topic finds what differs in a topic: at most MaxObjects things, and more says that there may be others.
func (s *search) topic(t topic) (out []difference, more bool, err error) {
	spans, leaves := []span{{}}, []span(nil)
	for len(spans) > 0 && len(leaves) < maxSpans {
		batch := spans[:min(len(spans), maxSpans)]
		spans = spans[len(batch):]
		theirs, err := s.sums(t, batch)
		if err != nil {
			return nil, false, err
		}
		for i, of := range batch {
			ours := s.own.tables[t].parts(of)
			for j := range fan {
				x, y := ours[j], theirs[i][j]
				switch part := of.part(j); {
				case x == y:
				case max(x.count, y.count) <= leafItems || part.depth == maxDepth:
					leaves = append(leaves, part)
				case len(spans) < maxSpans:
					spans = append(spans, part)
				default:
					more = true
				}
			}
		}
	}
	if len(leaves) == 0 {
		return nil, false, nil
	}
	more = more || len(leaves) > maxSpans || len(spans) > 0
	leaves = leaves[:min(len(leaves), maxSpans)]
	theirs, err := s.items(t, leaves)
	if err != nil {
		return nil, false, err
	}
	var ours []item
	for _, l := range leaves {
		ours = append(ours, s.own.items(t, l)...)
	}
	return differencesOf(ours, theirs), more, nil
}

func (s *search) question(q question) ([]byte, error) {
	if s.left == 0 {
		return nil, fmt.Errorf("%d questions were not enough", maxAsks)
	}
	s.left--
	return s.ask(s.ctx, s.peer, q.append(nil))
}

func (s *search) sums(t topic, spans []span) ([][fan]sum, error) {
	body, err := s.question(question{t, modeSums, spans})
	if err != nil {
		return nil, err
	}
	return decodeSums(body, len(spans))
}

func (s *search) items(t topic, spans []span) ([]item, error) {
	body, err := s.question(question{t, modeItems, spans})
	if err != nil {
		return nil, err
	}
	return decodeItems(body, len(spans))
}

// differencesOf returns the items that are not alike on both sides.
func differencesOf(ours, theirs []item) (out []difference) {
	there := make(map[uint64]*item, len(theirs))
	for i := range theirs {
		there[theirs[i].key] = &theirs[i]
	}
	for i := range ours {
		o := &ours[i]
		t := there[o.key]
		delete(there, o.key)
		if t == nil || t.value != o.value {
			out = append(out, difference{o, t})
		}
	}
	for i := range theirs {
		if t := &theirs[i]; there[t.key] == t {
			out = append(out, difference{nil, t})
		}
	}
	return out
}
