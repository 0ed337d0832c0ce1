package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"slices"
	"time"

	"go.uber.org/zap"

	"fairlead/config"
	"fairlead/internal/wholefile"
)

const (
	// groupsFile is where the addresses of autoscaled groups are kept, in the data directory: a restart while DNS fails must
	// not empty them.
	groupsFile = "groups.json"
	// maxGroupsFile is the most octets that are read of it: all addresses that groups can have, and their names.
	maxGroupsFile = 32 << 20
)

// keptGroup is what a group's name resolved to last.
type keptGroup struct {
	Group     string       `json:"group"`
	Name      string       `json:"name"`
	Addresses []netip.Addr `json:"addresses"`
	Resolved  time.Time    `json:"resolved"`
}

// restore reads what was kept before this start. A file that cannot be used changes nothing.
func (a *autoscale) restore(path string) {
	a.path = path
	groups, err := readGroups(path)
	if err != nil {
		a.log.Warn("group.unrestored", zap.String("file", path), zap.Error(err), zap.String("then", "groups have no addresses until they are resolved"))
		return
	}
	a.kept = make(map[string]keptGroup, len(groups))
	for _, g := range groups {
		a.kept[g.Group] = g
	}
}

// readGroups returns what a file keeps, without addresses that cannot be answered with. That there is none is no error.
func readGroups(path string) ([]keptGroup, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxGroupsFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxGroupsFile:
		return nil, fmt.Errorf("it is larger than %d octets", maxGroupsFile)
	}
	var groups []keptGroup
	if err := json.Unmarshal(text, &groups); err != nil {
		return nil, err
	}
	for i := range groups {
		groups[i].Addresses = slices.DeleteFunc(groups[i].Addresses, func(address netip.Addr) bool { return !config.Answerable(address) })
	}
	return groups, nil
}

// keep replaces the file by what is known now.
func (a *autoscale) keep() {
	if a.path == "" {
		return
	}
	var groups []keptGroup
	a.mu.Lock()
	for _, name := range slices.Sorted(maps.Keys(a.groups)) {
		if s := a.groups[name]; len(s.live) > 0 {
			groups = append(groups, keptGroup{Group: name, Name: s.settings.Name, Addresses: slices.Concat(s.four, s.six), Resolved: s.resolved.UTC()})
		}
	}
	a.mu.Unlock()
	err := wholefile.Write(a.path, 0o600, func(w io.Writer) error { return json.NewEncoder(w).Encode(groups) })
	if err != nil {
		a.log.Warn("group.unkept", zap.String("file", a.path), zap.Error(err), zap.String("then", "a restart may find groups without addresses"))
	}
}

// restored is a group of a document as it was kept; without addresses when it was not, or followed another name.
func (a *autoscale) restored(g *config.ServiceGroup) *autoscaled {
	s := &autoscaled{settings: *g.Autoscale}
	k, ok := a.kept[g.Name]
	if !ok || k.Name != g.Autoscale.Name {
		return s
	}
	for _, address := range k.Addresses {
		if address.Is4() {
			s.four = append(s.four, address)
		} else {
			s.six = append(s.six, address)
		}
	}
	s.resolved = k.Resolved
	s.takeIn(slices.Concat(s.four, s.six), k.Resolved)
	return s
}
