package probe

import (
	"regexp"
	"sync"
)

// maxPatterns is how many regular expressions are remembered; above that all are compiled again.
const maxPatterns = 1024

// patterns remembers the regular expressions of monitors, so that thousands of probes do not compile them again. Safe for concurrent
// use; the zero value is empty.
type patterns struct {
	mu    sync.Mutex
	known map[string]*regexp.Regexp
}

func (p *patterns) compile(expression string) (*regexp.Regexp, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if re := p.known[expression]; re != nil {
		return re, nil
	}
	re, err := regexp.Compile(expression)
	if err != nil {
		return nil, err
	}
	if p.known == nil || len(p.known) >= maxPatterns {
		p.known = make(map[string]*regexp.Regexp)
	}
	p.known[expression] = re
	return re, nil
}
