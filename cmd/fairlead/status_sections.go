package main

import (
	"context"
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
}

func readSections(ctx context.Context, c *client.Client) (s sections, err error) {
	if s.groups, err = autoscaledGroups(ctx, c); err != nil {
		return s, err
	}
	if s.overrides, err = standingOverrides(ctx, c); err != nil {
		return s, err
	}
	if s.locations, err = locationFiles(ctx, c); err != nil {
		return s, err
	}
	s.secondaries, err = failingZones(ctx, c)
	return s, err
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
	if s.secondaries != nil {
		return printSecondaries(w, s.secondaries)
	}
	return nil
}
