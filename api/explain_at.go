package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"fairlead/api/resource"
	"fairlead/gslb"
	"fairlead/mep"
)

// shownCandidates is the most candidates of a step in an explanation that is too long for an answer to another site.
const shownCandidates = 16

// explainAt asks the node of another site.
func (r *resources) explainAt(ctx context.Context, st *State, in *explainInput) (*explainOutput, error) {
	if st.Document.Site(in.AtSite) == nil {
		return nil, newProblem(http.StatusNotFound, resource.Fault{Pointer: "/query/at_site", Code: resource.CodeNoSuchSite,
			Detail: "the document has no site " + echo(in.AtSite) + "; " + sitesPath + " lists them"})
	}
	silent := func(why string) error {
		return newProblem(http.StatusServiceUnavailable, resource.Fault{Pointer: "/query/at_site", Code: resource.CodeSiteSilent, Detail: why})
	}
	if r.AskSite == nil {
		return nil, silent("this node exchanges nothing with other sites; ask a node of site " + echo(in.AtSite) + " itself")
	}
	body, err := json.Marshal(asked{Name: in.Name, Type: in.Type, Client: in.question.LDNS.String(), Subnet: in.Subnet, Listener: in.Listener})
	if err != nil {
		return nil, err
	}
	text, err := r.AskSite(ctx, in.AtSite, body)
	switch {
	case ctx.Err() != nil:
		return nil, silent("the request ended before the site answered")
	case err != nil:
		return nil, silent(err.Error() + "; a node there can be asked itself")
	}
	out := &explainOutput{}
	if err := json.Unmarshal(text, &out.Body); err != nil {
		return nil, silent("the site's answer cannot be read; another release may run there: " + err.Error())
	}
	out.Body.Document = r.documentID(out.Body.Document)
	return out, nil
}

// asked is a question that another site's node asks, as JSON.
type asked struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Client   string `json:"client"`
	Subnet   string `json:"subnet,omitempty"`
	Listener string `json:"listener,omitempty"`
}

// AnswerExplain answers the question of another site's node: body and answer are JSON. site is this node's. The answer has at
// most mep.MaxAsk bytes: of long lists of candidates it has the first, and who was picked.
func AnswerExplain(st *State, site string, body []byte) ([]byte, error) {
	if st == nil || st.Snapshot == nil || st.Document == nil {
		return nil, errors.New("the node is starting and serves no document yet")
	}
	var q asked
	if err := json.Unmarshal(body, &q); err != nil {
		return nil, fmt.Errorf("read question: %w", err)
	}
	in := explainInput{Name: q.Name, Type: q.Type, Client: q.Client, Subnet: q.Subnet, Listener: q.Listener}
	if q.Name == "" || q.Client == "" {
		return nil, errors.New("read question: it has no name, or no client")
	}
	if faults := in.read(""); len(faults) > 0 {
		return nil, fmt.Errorf("read question: %w", faults[0])
	}
	return fitting(explainHere(st, site, &in.question))
}

// fitting writes an explanation with at most mep.MaxAsk bytes: with fewer candidates and counterfactuals, where all are too many.
func fitting(e *resource.Explanation) ([]byte, error) {
	whole, said := slices.Clone(e.Trace.Entries), e.Counterfactuals
	text, err := json.Marshal(e)
	for shown := shownCandidates; err == nil && len(text) > mep.MaxAsk && shown > 0; shown /= 2 {
		for i := range whole {
			e.Trace.Entries[i] = shortened(whole[i], shown)
		}
		e.Counterfactuals = said[:min(len(said), shown)]
		text, err = json.Marshal(e)
	}
	return text, err
}

// shortened is a step with some of its candidates: the first ones, and who was picked.
func shortened(step gslb.Entry, shown int) gslb.Entry {
	more := len(step.Candidates) - shown
	if more <= 0 {
		return step
	}
	all := step.Candidates
	step.Candidates = slices.Clone(all[:shown])
	if at := slices.IndexFunc(all, func(c gslb.Candidate) bool { return c.Kept }); step.Step == gslb.StepMethod && at >= shown {
		step.Candidates[shown-1] = all[at]
	}
	step.Detail = strings.TrimSpace(fmt.Sprintf("%s (and %d more candidates)", step.Detail, more))
	return step
}
