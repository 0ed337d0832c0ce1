package config

// NewReport makes a report of problems that were found elsewhere, such as by a node that a text was sent to, to render them with lines of the text.
// A problem without a line gets the place that its Path leads to; without one that exists, its nearest parent's.
func NewReport(file string, text []byte, problems []Problem) *Report {
	r := new(Report)
	p := newPage(file, text, new(Report))
	p.root = parseYAML(p)
	r.keepText(file, p.text)
	for _, one := range problems {
		if one.File == "" {
			one.File = file
		}
		if one.File == file && one.Line == 0 && p.root != nil && one.Path != "" {
			if n := p.nearestNode(one.Path); n != nil {
				one.Line, one.Column, one.Width = p.span(n)
			}
		}
		if len(r.problems) < 2*maxProblems {
			r.problems = append(r.problems, one)
		}
		if one.Severity == SeverityError {
			r.errors++
		} else {
			r.warnings++
		}
	}
	return r
}

// Show gives the report the text of a further file that problems name, so that Render shows its lines.
func (r *Report) Show(file string, text []byte) { r.keepText(file, text) }
