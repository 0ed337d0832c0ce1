package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Limits of a selector.
const (
	maxSelector       = 1024 // bytes
	maxSelectorLabels = 16
)

// MetricSelector picks samples of a metrics page by name and labels, as Prometheus does: name{label="value",other=~"a|b"}.
type MetricSelector struct {
	Name   string
	Labels []LabelMatcher
}

// LabelMatcher is a condition on one label. A label that a sample lacks has the empty value.
type LabelMatcher struct {
	Name    string
	value   string
	pattern *regexp.Regexp // nil: the value is compared
	not     bool
}

// Matches reports whether a value of the label fulfils the condition. It allocates nothing for = and !=.
func (m *LabelMatcher) Matches(value []byte) bool {
	if m.pattern != nil {
		return m.pattern.Match(value) != m.not
	}
	return (string(value) == m.value) != m.not
}

var (
	metricName = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*`)
	labelName  = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*`)
)

// ParseMetricSelector reads a selector. Operators are =, !=, =~ and !~; regular expressions are RE2 and match the whole value.
func ParseMetricSelector(text string) (*MetricSelector, error) {
	if len(text) > maxSelector {
		return nil, fmt.Errorf("selector has %d bytes; the limit is %d", len(text), maxSelector)
	}
	rest := strings.TrimSpace(text)
	s := &MetricSelector{Name: metricName.FindString(rest)}
	if s.Name == "" {
		return nil, fmt.Errorf("selector %s does not begin with the name of a metric", quote(text))
	}
	rest = strings.TrimSpace(rest[len(s.Name):])
	if rest == "" {
		return s, nil
	}
	if rest[0] != '{' {
		return nil, fmt.Errorf("%s stands after the metric's name, want {", quote(rest))
	}
	rest = strings.TrimSpace(rest[1:])
	for !strings.HasPrefix(rest, "}") {
		var m LabelMatcher
		var err error
		if m, rest, err = parseLabelMatcher(rest); err != nil {
			return nil, err
		}
		if s.Labels = append(s.Labels, m); len(s.Labels) > maxSelectorLabels {
			return nil, fmt.Errorf("selector has more than %d labels", maxSelectorLabels)
		}
		rest = strings.TrimSpace(rest)
		if after, ok := strings.CutPrefix(rest, ","); ok {
			rest = strings.TrimSpace(after)
		} else if !strings.HasPrefix(rest, "}") {
			return nil, fmt.Errorf("want , or } after label %s", m.Name)
		}
	}
	if rest = strings.TrimSpace(rest[1:]); rest != "" {
		return nil, fmt.Errorf("%s stands after }", quote(rest))
	}
	return s, nil
}

func parseLabelMatcher(text string) (m LabelMatcher, rest string, err error) {
	m.Name = labelName.FindString(text)
	if m.Name == "" {
		return m, "", fmt.Errorf("%s is not the name of a label", quote(text))
	}
	rest = strings.TrimSpace(text[len(m.Name):])
	op := ""
	for _, one := range []string{"=~", "!~", "!=", "="} {
		if strings.HasPrefix(rest, one) {
			op = one
			break
		}
	}
	if op == "" {
		return m, "", fmt.Errorf("want =, !=, =~ or !~ after label %s", m.Name)
	}
	m.not = op[0] == '!'
	if m.value, rest, err = quotedValue(strings.TrimSpace(rest[len(op):])); err != nil {
		return m, "", fmt.Errorf("value of label %s: %w", m.Name, err)
	}
	if strings.HasSuffix(op, "~") {
		if m.pattern, err = regexp.Compile(`^(?s:` + m.value + `)$`); err != nil {
			return m, "", fmt.Errorf("value of label %s: %w", m.Name, err)
		}
	}
	return m, rest, nil
}

// quotedValue reads a text in double quotes, where \\, \" and \n are escapes.
func quotedValue(text string) (value, rest string, err error) {
	if !strings.HasPrefix(text, `"`) {
		return "", "", errors.New("it is not in double quotes")
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return b.String(), text[i+1:], nil
		case c != '\\':
			b.WriteByte(c)
		case i+1 == len(text):
		case text[i+1] == 'n':
			b.WriteByte('\n')
			i++
		case text[i+1] == '\\' || text[i+1] == '"':
			b.WriteByte(text[i+1])
			i++
		default: // a regular expression needs it
			b.WriteByte(c)
		}
	}
	return "", "", errors.New("its quote is never closed")
}
