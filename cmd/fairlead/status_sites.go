package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"fairlead/api/resource"
)

// printSites lists the sites. What they are to each other is shown where not all are equals.
func printSites(w io.Writer, list *resource.SiteList) error {
	head := []string{"SITE", "EXCHANGE", "FOR", "HEARD", "RTT", "DOCUMENT", "SERVICES", "IF LOST", "LAST ERROR"}
	unequal := slices.ContainsFunc(list.Sites, func(s resource.Site) bool {
		return len(s.Parents) > 0 || s.Relation == resource.RelationForeign || !s.AnswersDNS && s.Relation != ""
	})
	if unequal {
		head = slices.Insert(head, 1, "ROLE", "REACH")
	}
	compared := slices.ContainsFunc(list.Sites, func(s resource.Site) bool { return s.Agreement != nil })
	if compared {
		head = slices.Insert(head, slices.Index(head, "DOCUMENT")+1, "ANSWERS")
	}
	rows := [][]string{head}
	for i := range list.Sites {
		s := &list.Sites[i]
		lasting := "-"
		if !s.Since.IsZero() {
			lasting = since(list.At, s.Since)
		}
		lastError := ""
		if s.Peer != resource.PeerUp {
			lastError = s.LastError
		}
		row := []string{s.Name, s.Peer, lasting, ago(s.LastHeardAgeSeconds), ago(s.RTTSeconds), s.Document}
		if compared {
			row = append(row, agreement(s.Agreement))
		}
		row = append(row, counts(s.Services), headroom(s.Headroom), lastError)
		if unequal {
			row = slices.Insert(row, 1, role(s), reach(s))
		}
		rows = append(rows, row)
	}
	if err := table(w, "", rows...); err != nil {
		return err
	}
	printPartitions(w, list)
	printDisagreements(w, list)
	return nil
}

// printPartitions says which sites are heard by some of the others only.
func printPartitions(w io.Writer, list *resource.SiteList) {
	for i := range list.Sites {
		if p := list.Sites[i].Partition; p != "" {
			fmt.Fprintf(w, "\nPARTITION: %s\n", printable(p))
		}
	}
}

// agreement is whether a site answers as the node does, in a word or two.
func agreement(a *resource.Agreement) string {
	switch {
	case a == nil:
		return "-"
	case a.State == resource.AgreementAgrees:
		return "same"
	case a.State == resource.AgreementDiffers && len(a.Causes) > 0:
		return "differ: " + printable(a.Causes[0].Cause)
	}
	return a.State
}

// mostObjects is how many things a cause is shown with; the API has more.
const mostObjects = 4

// printDisagreements says why sites answer otherwise than the node.
func printDisagreements(w io.Writer, list *resource.SiteList) {
	for i := range list.Sites {
		s := &list.Sites[i]
		if s.Agreement == nil || s.Agreement.State != resource.AgreementDiffers {
			continue
		}
		fmt.Fprintf(w, "\n%s differs from this node for %s:\n", printable(s.Name), since(list.At, s.Agreement.Since))
		for _, c := range s.Agreement.Causes {
			for _, o := range c.Objects[:min(len(c.Objects), mostObjects)] {
				wrapped(w, "  "+printable(c.Cause)+": ", printable(o.Detail))
			}
			if c.More || len(c.Objects) > mostObjects {
				fmt.Fprintf(w, "  %s: and more; /v1/status/sites lists some of it\n", printable(c.Cause))
			}
		}
	}
}

// role is what a site is: where it reports to, and whether it answers DNS where that is not what its place means.
func role(s *resource.Site) string {
	out := "mesh"
	switch {
	case s.Relation == resource.RelationForeign:
		return "foreign"
	case s.AttachedTo != "":
		out = "child, at " + s.AttachedTo
	case len(s.Parents) > 0:
		out = "child of " + strings.Join(s.Parents, ", ")
	}
	switch {
	case s.AnswersDNS && len(s.Parents) > 0:
		out += "; answers DNS"
	case !s.AnswersDNS && len(s.Parents) == 0:
		out += "; no DNS"
	}
	return out
}

// reach is whether a site's own word reaches the node, and by whom.
func reach(s *resource.Site) string {
	switch {
	case s.Reach == "":
		return "-"
	case s.Relation == resource.RelationChild && s.Peer == resource.PeerUp && s.Reach == resource.ReachHeard && s.AttachedTo == "" && (s.Via == "" || s.Via == s.Name):
		return "there, reports elsewhere"
	case !s.LearningUntil.IsZero():
		return s.Reach + ", learning until " + s.LearningUntil.UTC().Format("15:04:05 UTC")
	case s.Reach == resource.ReachHeard && s.Via != "" && s.Via != s.Name:
		return "heard via " + s.Via
	}
	return s.Reach
}
