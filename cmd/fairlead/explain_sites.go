package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"fairlead/api/client"
	"fairlead/api/resource"
)

// allSites as --at-site asks every site of the document.
const allSites = "all"

const (
	// maxSitesAtOnce is how many sites are asked side by side; it is below what a node asks at once.
	maxSitesAtOnce = 12
	// allSitesLimit is how long all of them together may take.
	allSitesLimit = 10 * time.Second
)

// siteAnswer is one site's explanation, or why there is none.
type siteAnswer struct {
	Site        string                `json:"site"`
	Error       string                `json:"error,omitempty"`
	Explanation *resource.Explanation `json:"explanation,omitempty"`
}

// explainEverywhere compares what all sites would answer.
func explainEverywhere(cmd *cobra.Command, c *client.Client, f apiFlags, q client.Question) error {
	list, err := c.Sites(cmd.Context())
	if err != nil {
		return apiError(err)
	}
	all := askSites(cmd.Context(), c, q, list.Sites)
	if f.output == "json" {
		return printJSON(cmd.OutOrStdout(), all)
	}
	rows := [][]string{{"", "SITE", "ANSWER", "FIRST", "REASON", "DOCUMENT", "BELIEF"}}
	differ := false
	for i := range all {
		row := siteRow(&all[i])
		if first := firstAnswered(all); all[i].Explanation != nil && first != nil && answerOf(all[i].Explanation) != answerOf(first) {
			row[0], differ = "!", true
		}
		rows = append(rows, row)
	}
	if err := table(cmd.OutOrStdout(), "", rows...); err != nil {
		return err
	}
	if differ {
		fmt.Fprintln(cmd.OutOrStdout())
		wrapped(cmd.OutOrStdout(), "! ", "differs from the first. Where services take turns, or loads decide, sites differ from query to query; where they should not, compare --at-site SITE of both; status says of each site whether it differs for longer, and why.")
	}
	return nil
}

// askSites asks all sites that answer DNS, maxSitesAtOnce of them side by side. A site without an answer is told with the reason, and costs
// others no time.
func askSites(ctx context.Context, c *client.Client, q client.Question, list []resource.Site) []siteAnswer {
	ctx, cancel := context.WithTimeoutCause(ctx, allSitesLimit, fmt.Errorf("there was no answer within %s, the limit for all sites together", allSitesLimit))
	defer cancel()
	list = slices.DeleteFunc(slices.Clone(list), func(s resource.Site) bool { return s.Relation != "" && !s.AnswersDNS })
	all := make([]siteAnswer, len(list))
	var asking errgroup.Group
	asking.SetLimit(maxSitesAtOnce)
	for i := range list {
		all[i].Site = list[i].Name
		asking.Go(func() error {
			q := q
			q.AtSite = all[i].Site
			var err error
			if all[i].Explanation, err = c.Explain(ctx, q); err != nil {
				all[i].Error = err.Error()
			}
			return nil
		})
	}
	_ = asking.Wait() // what goes wrong is told of each site
	return all
}

func firstAnswered(all []siteAnswer) *resource.Explanation {
	for i := range all {
		if all[i].Explanation != nil {
			return all[i].Explanation
		}
	}
	return nil
}

// answerOf is what two sites should agree on.
func answerOf(e *resource.Explanation) string {
	return e.Rcode + " " + strings.Join(e.Answer, "\n")
}

func siteRow(a *siteAnswer) []string {
	e := a.Explanation
	if e == nil {
		return []string{"?", a.Site, clipped(a.Error, max(screenWidth-len("?  ")-len(a.Site)-len("  "), leastDetail)), "", "", "", ""}
	}
	var data []string
	for _, record := range e.Answer {
		if fields := strings.SplitN(record, " ", 5); len(fields) == 5 {
			data = append(data, fields[4])
		}
	}
	if len(data) == 0 {
		data = []string{"no data"}
	}
	if e.Rcode != "NOERROR" {
		data = []string{e.Rcode}
	}
	first, reason := "-", "-"
	for i := range e.Trace.Entries {
		step := &e.Trace.Entries[i]
		if step.Step == resource.StepAnswer {
			if reason = string(step.Reason); len(step.Candidates) > 0 {
				first = step.Candidates[0].Service
			}
		}
	}
	return []string{"", a.Site, clipped(strings.Join(data, " "), 40), first, reason, fmt.Sprintf("%.8s", e.Document), duration(e.StatusAgeSeconds) + " old"}
}
