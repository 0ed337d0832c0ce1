package main

import (
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
		row := []string{s.Name, s.Peer, lasting, ago(s.LastHeardAgeSeconds), ago(s.RTTSeconds), s.Document, counts(s.Services), headroom(s.Headroom), lastError}
		if unequal {
			row = slices.Insert(row, 1, role(s), reach(s))
		}
		rows = append(rows, row)
	}
	return table(w, "", rows...)
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
	case !s.LearningUntil.IsZero():
		return "lost, learning until " + s.LearningUntil.UTC().Format("15:04:05 UTC")
	case s.Reach == resource.ReachHeard && s.Via != "" && s.Via != s.Name:
		return "heard via " + s.Via
	}
	return s.Reach
}
