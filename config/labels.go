package config

import (
	"fmt"
	"maps"
	"slices"
	"unicode"
	"unicode/utf8"
)

const (
	// MaxLabels is how many labels one object can have.
	MaxLabels = 32
	// MaxLabelValue bounds the value of a label, in characters.
	MaxLabelValue = 127
	// MaxComment bounds a comment, in bytes.
	MaxComment = 4096
)

// Labels are short texts on an object, by key: people find objects by them, and tokens can be limited to them. Nothing that is
// answered depends on them. They are only read.
type Labels map[string]string

// CheckLabels returns what is wrong with the first of the labels, by key, that cannot stand on an object, or nil.
func CheckLabels(labels map[string]string) error {
	if len(labels) > MaxLabels {
		return fmt.Errorf("%d labels; the limit is %d", len(labels), MaxLabels)
	}
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		if err := checkLabelOf(key, labels[key]); err != nil {
			return err
		}
	}
	return nil
}

// CheckName returns what is wrong with the name of an object, or of something else that is named alike, or nil.
func CheckName(name string) error { return checkName(name) }

// checkLabelOf checks one label of an object.
func checkLabelOf(key, value string) error {
	if err := checkName(key); err != nil {
		return fmt.Errorf("label %s: %w", quote(key), err)
	}
	if n := utf8.RuneCountInString(value); n > MaxLabelValue {
		return fmt.Errorf("label %s: the value has %d characters; the limit is %d", quote(key), n, MaxLabelValue)
	}
	for _, c := range value {
		if !unicode.IsPrint(c) {
			return fmt.Errorf("label %s: the value contains %q", quote(key), c)
		}
	}
	return nil
}

// labelled is an object's labels and comment with their place in the document.
type labelled struct {
	list    string // of the document
	index   int
	labels  Labels
	comment string
}

// checkLabels checks the labels and comments of all objects.
func (c *checker) checkLabels() {
	checkLabelsOf(c, ObjectZone, "zones", c.doc.Zones, func(z *Zone) (Labels, string) { return z.Labels, z.Comment })
	checkLabelsOf(c, ObjectSite, "sites", c.doc.Sites, func(s *Site) (Labels, string) { return s.Labels, s.Comment })
	checkLabelsOf(c, ObjectMonitor, "monitors", c.doc.Monitors, func(m *Monitor) (Labels, string) { return m.Labels, m.Comment })
	checkLabelsOf(c, ObjectService, "services", c.doc.Services, func(s *Service) (Labels, string) { return s.Labels, s.Comment })
	checkLabelsOf(c, ObjectServiceGroup, "service_groups", c.doc.ServiceGroups, func(g *ServiceGroup) (Labels, string) { return g.Labels, g.Comment })
	checkLabelsOf(c, ObjectVirtualServer, "virtual_servers", c.doc.VirtualServers, func(v *VirtualServer) (Labels, string) { return v.Labels, v.Comment })
	checkLabelsOf(c, ObjectView, "views", c.doc.Views, func(v *View) (Labels, string) { return v.Labels, v.Comment })
	checkLabelsOf(c, ObjectLocation, "locations", c.doc.Locations, func(l *Location) (Labels, string) { return l.Labels, l.Comment })
}

func checkLabelsOf[T any](c *checker, kind ObjectKind, list string, objects []T, of func(*T) (Labels, string)) {
	for i := range objects {
		if labels, comment := of(&objects[i]); len(labels) > 0 || comment != "" {
			c.look(kind, i, func() { c.checkLabelled(labelled{list: list, index: i, labels: labels, comment: comment}) })
		}
	}
}

func (c *checker) checkLabelled(o labelled) {
	if len(o.labels) > MaxLabels {
		c.problem(at(o.list, o.index, "labels"), codeTooMany, "", "%d labels; the limit is %d", len(o.labels), MaxLabels)
		return
	}
	for _, key := range slices.Sorted(maps.Keys(o.labels)) {
		if err := checkLabelOf(key, o.labels[key]); err != nil {
			c.problem(at(o.list, o.index, "labels", key), codeLabel, "a key is a name such as team, a value one short line of text", "%v", err)
		}
	}
	if o.comment == "" {
		return
	}
	path := at(o.list, o.index, "comment")
	if n := len(o.comment); n > MaxComment {
		c.problem(path, codeComment, "", "the comment has %d bytes; the limit is %d", n, MaxComment)
	}
	for _, r := range o.comment {
		if !unicode.IsPrint(r) && r != '\n' && r != '\t' {
			c.problem(path, codeComment, "", "the comment contains %q", r)
			break
		}
	}
}
