package source

import (
	"fmt"
	"io"
	"time"

	"fairlead/config"
)

// selected is a selector with what its samples add up to.
type selected struct {
	*config.MetricSelector
	sum sum
}

func selectedBy(text string) (selected, error) {
	s, err := config.ParseMetricSelector(text)
	return selected{MetricSelector: s}, err
}

func (s *selected) matches(one *sample) bool {
	if string(one.name) != s.Name {
		return false
	}
	for i := range s.Labels {
		if !s.Labels[i].Matches(one.label(s.Labels[i].Name)) {
			return false
		}
	}
	return true
}

// selection is what several selectors add up on one page.
type selection []selected

func (all selection) wants(name []byte) bool {
	for i := range all {
		if string(name) == all[i].Name {
			return true
		}
	}
	return false
}

func (all selection) add(s *sample) {
	for i := range all {
		if all[i].matches(s) {
			all[i].sum.addSample(s)
		}
	}
}

func (all selection) read(page io.Reader) error {
	return eachSample(page, all.wants, func(s *sample) error {
		all.add(s)
		return nil
	})
}

// lacking says why a selector has no number.
func (s *selected) lacking(text string) error {
	if s.sum.old > 0 {
		return fmt.Errorf("%s is %v old by its timestamp, above %v", text, s.sum.old.Round(time.Second), maxSampleAge)
	}
	if s.sum.count > 0 {
		return fmt.Errorf("%s is not a number (NaN)", text)
	}
	return fmt.Errorf("no sample is %s", text)
}

// readOpenMetrics reads the samples that fields and custom metrics select. Several samples of one selector are added up; times are
// averaged.
func readOpenMetrics(page io.Reader, src *config.LoadSource) (Reading, error) {
	fields, at := fieldsOf(src), customPaths(src)
	all := make(selection, 0, len(fields)+len(at))
	texts := make([]string, 0, cap(all))
	for _, f := range fields {
		texts = append(texts, f.path)
	}
	for _, i := range at {
		texts = append(texts, src.Custom[i].Path)
	}
	for _, text := range texts {
		s, err := selectedBy(text)
		if err != nil {
			return Reading{}, err
		}
		all = append(all, s)
	}
	if err := all.read(page); err != nil {
		return Reading{}, err
	}
	out := Reading{Parts: make([]Part, len(src.Custom))}
	found := 0
	for i := range all {
		s := &all[i]
		switch {
		case !s.sum.told():
			out.missing(s.lacking(texts[i]))
			continue
		case i >= len(fields):
			out.part(at[i-len(fields)], s.sum.value, texts[i])
		case averages(fields[i].metric):
			out.tell(fields[i].metric, s.sum.value*fields[i].factor/float64(s.sum.count-s.sum.bad), texts[i])
		case fields[i].metric.Total(): // what does not grow any more stays in it: else what is left would look like a new beginning, and its return like growth
			out.tell(fields[i].metric, (s.sum.value+s.sum.stood)*fields[i].factor, texts[i])
		default:
			out.tell(fields[i].metric, s.sum.value*fields[i].factor, texts[i])
		}
		found++
	}
	return out.orNothing(found)
}
