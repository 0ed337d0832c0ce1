package main

import (
	"context"
	"errors"
	"io"

	"fairlead/api/client"
	"fairlead/api/resource"
)

// sections is what a whole status tells besides sites and services. What is nil is not told.
type sections struct {
	groups      *resource.GroupList
	secondaries *resource.SecondaryList
	locations   *resource.GeoFileList
	overrides   *resource.OverrideList
	sessions    *resource.SessionList
}

func readSections(ctx context.Context, c *client.Client) (s sections, err error) {
	if s.groups, err = told(c.Groups(ctx, client.GroupFilter{Most: maxGroupsShown})); err != nil {
		return s, err
	}
	if s.overrides, err = told(c.Overrides(ctx)); err != nil {
		return s, err
	}
	if s.locations, err = told(c.LocationFiles(ctx)); err != nil {
		return s, err
	}
	if s.secondaries, err = told(c.Secondaries(ctx, client.SecondaryFilter{Failing: true, Most: maxFailingShown})); err != nil {
		return s, err
	}
	if s.sessions, err = told(c.Sessions(ctx, client.SessionFilter{Most: 1})); err != nil {
		return s, err
	}
	s.leaveOutEmpty()
	return s, nil
}

// told is what a node says of something; nil when it is of a release that does not tell.
func told[T any](list *T, err error) (*T, error) {
	if missing := (*client.NotFound)(nil); errors.As(err, &missing) {
		return nil, nil
	}
	return list, err
}

// leaveOutEmpty takes out the sections that have nothing to tell.
func (s *sections) leaveOutEmpty() {
	if s.groups != nil && len(s.groups.Groups) == 0 {
		s.groups = nil
	}
	if s.overrides != nil && len(s.overrides.Overrides) == 0 {
		s.overrides = nil
	}
	if s.locations != nil && len(s.locations.Files) == 0 {
		s.locations = nil
	}
	if s.sessions != nil && len(s.sessions.Uses) == 0 {
		s.sessions = nil
	}
	if s.secondaries != nil && s.secondaries.Counts.Served+s.secondaries.Counts.Unserved == 0 {
		s.secondaries = nil
	}
}

// addTo adds the sections to what is printed as JSON.
func (s *sections) addTo(all map[string]any) {
	if s.groups != nil {
		all["groups"] = s.groups.Groups
	}
	if s.overrides != nil {
		all["overrides"] = s.overrides.Overrides
	}
	if s.locations != nil {
		all["location_files"] = s.locations.Files
	}
	if s.sessions != nil {
		all["session_uses"] = s.sessions.Uses
	}
	if s.secondaries != nil {
		all["secondaries"] = map[string]any{"counts": s.secondaries.Counts, "failing": s.secondaries.Secondaries}
	}
}

func (s *sections) print(w io.Writer) error {
	if s.overrides != nil {
		if err := printOverrides(w, s.overrides); err != nil {
			return err
		}
	}
	if s.groups != nil {
		if err := printGroups(w, s.groups); err != nil {
			return err
		}
	}
	if s.locations != nil {
		if err := printLocationFiles(w, s.locations); err != nil {
			return err
		}
	}
	if s.sessions != nil {
		if err := printSessionUses(w, s.sessions); err != nil {
			return err
		}
	}
	if s.secondaries != nil {
		return printSecondaries(w, s.secondaries)
	}
	return nil
}
