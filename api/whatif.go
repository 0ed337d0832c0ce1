package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fairlead/api/resource"
	"fairlead/internal/whatif"
)

// whatIfSteps is in how many parts connections are filled in: methods that look at loads see them grow.
const whatIfSteps = 10

// whatIfLimit is the longest that a question takes. It is below the time that an answer has to be written in.
const whatIfLimit = writeTimeout - 5*time.Second

type whatIfInput struct {
	Lose []string `query:"lose,explode" maxItems:"64" doc:"Sites or services that are lost; may be given several times."`
	Load string   `query:"load" default:"1x" doc:"Factor on all connections, such as 1.5x; or peak: the most connections of the last 24 hours."`

	peak   bool // set by Resolve
	factor float64
}

// Resolve reads the factor.
func (in *whatIfInput) Resolve(ctx huma.Context) []error {
	faults := strictQuery(ctx)
	if in.peak = in.Load == "peak"; in.peak {
		return faults
	}
	var err error
	in.factor, err = strconv.ParseFloat(strings.TrimSuffix(in.Load, "x"), 64)
	if err != nil || !(in.factor > 0 && in.factor <= whatif.MaxLoad) {
		faults = append(faults, fault("/query/load", resource.CodeInvalid, "%q is neither peak nor a factor such as 1.5x, above 0 and at most %d", clip(in.Load), whatif.MaxLoad))
	}
	return faults
}

type whatIfOutput struct{ Body resource.WhatIf }

func (r *resources) registerWhatIf(rest huma.API) {
	register(r, rest, huma.Operation{OperationID: "what-if", Method: http.MethodGet, Path: "/v1/whatif", Tags: []string{"status"},
		Summary:     "Where clients and connections would go if sites or services were lost",
		Description: "The function that serves queries decides those that were asked lately, on a copy of what queries have written: asking changes no answer."},
		[]int{http.StatusUnprocessableEntity, http.StatusServiceUnavailable}, r.whatIf)
}

func (r *resources) whatIf(ctx context.Context, in *whatIfInput) (*whatIfOutput, error) {
	st, err := r.state()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, whatIfLimit)
	defer cancel()
	leave, err := r.whatIfs.enter(ctx) // one at a time: each takes a core for a moment
	if err != nil {
		return nil, err
	}
	defer leave()
	v := r.Sketch()
	question := whatif.Input{Snapshot: st.Snapshot.GSLB, Learned: st.Snapshot.Learned, Queries: SketchQueries(&v), Lose: in.Lose, Load: in.factor, Steps: whatIfSteps}
	var notes []string
	if in.peak {
		question.Load, notes = r.peakLoad()
	}
	for i := range st.Document.Sites {
		question.Sites = append(question.Sites, st.Document.Sites[i].Name)
	}
	out, err := whatif.Ask(ctx, question)
	if ctx.Err() != nil {
		return nil, tooSlow()
	}
	if unknown := (*whatif.UnknownError)(nil); errors.As(err, &unknown) {
		return nil, newProblem(http.StatusUnprocessableEntity, resource.Fault{Pointer: "/query/lose", Code: resource.CodeNoSuchService,
			Detail: fmt.Sprintf("\"%s\" is neither a site nor a service of the document; %s and %s list them", clip(unknown.Name), sitesPath, servicesPath)})
	}
	if err != nil {
		return nil, err
	}
	out.Notes = append(notes, out.Notes...)
	return &whatIfOutput{*out}, nil
}

// tooSlow is the problem of a question that was not answered in time.
func tooSlow() *problem {
	return newProblem(http.StatusServiceUnavailable, resource.Fault{Pointer: "/path", Code: resource.CodeTooSlow,
		Detail: fmt.Sprintf("there was no answer within %s: too many services fail one after the other, or others are asking, too", whatIfLimit)})
}

// peakLoad returns the factor from now to the peak.
func (r *resources) peakLoad() (float64, []string) {
	p := r.Peak()
	switch {
	case p.Connections == 0:
		return 1, []string{"no load was ever reported: there is no peak"}
	case p.Now == 0:
		return 1, []string{fmt.Sprintf("there are no connections now that could grow to the %.0f of the peak", p.Connections)}
	}
	return min(max(p.Connections/p.Now, 1), whatif.MaxLoad), nil
}

// withHeadroom adds what the loss of a site would do.
func (r *resources) withHeadroom(s resource.Site) resource.Site {
	for _, h := range r.Headroom() {
		if h.Lost == s.Name {
			s.Headroom = &h
		}
	}
	return s
}
