package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"go.uber.org/zap"

	"fairlead/config"
	"fairlead/internal/wholefile"
)

const (
	// announcedFile is where announced services are kept, in the data directory: a restart while their site is not heard must not
	// empty their groups.
	announcedFile = "announced.json"
	// maxAnnouncedFile is the most octets that are read of it.
	maxAnnouncedFile = 32 << 20
)

// keptNames is what was announced for a group last.
type keptNames struct {
	Group    string            `json:"group"`
	Site     string            `json:"site"`
	Label    string            `json:"label"`
	Services []announcedMember `json:"services"`
}

// restore reads what was kept before this start. A file that cannot be used changes nothing.
func (a *announced) restore(path string) {
	a.path = path
	groups, err := readAnnounced(path)
	if err != nil {
		a.log.Warn("group.unrestored", zap.String("file", path), zap.Error(err), zap.String("then", "groups have no services until their sites are heard"))
		return
	}
	a.kept = make(map[string]keptNames, len(groups))
	for _, g := range groups {
		a.kept[g.Group] = g
	}
}

// readAnnounced returns what a file keeps. That there is none is no error.
func readAnnounced(path string) ([]keptNames, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxAnnouncedFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxAnnouncedFile:
		return nil, fmt.Errorf("it is larger than %d octets", maxAnnouncedFile)
	}
	var groups []keptNames
	return groups, json.Unmarshal(text, &groups)
}

// keep replaces the file by what is known now.
func (a *announced) keep() {
	if a.path == "" {
		return
	}
	var groups []keptNames
	a.mu.Lock()
	for _, name := range slices.Sorted(maps.Keys(a.group)) {
		if s := a.group[name]; len(s.live) > 0 {
			groups = append(groups, keptNames{Group: name, Site: s.site, Label: s.settings.Label, Services: s.live})
		}
	}
	a.mu.Unlock()
	err := wholefile.Write(a.path, 0o600, func(w io.Writer) error { return json.NewEncoder(w).Encode(groups) })
	if err != nil {
		a.log.Warn("group.unkept", zap.String("file", a.path), zap.Error(err), zap.String("then", "a restart may find groups without services"))
	}
}

// restored is a group of a document as it was kept; without services when it was not, or followed another site or label.
func (a *announced) restored(g *config.ServiceGroup, needsPort bool) *announcedGroup {
	s := &announcedGroup{name: g.Name, site: g.Site, settings: *g.Announced, needsPort: needsPort, withdrawn: make(map[string]leavingNamed)}
	k, ok := a.kept[g.Name]
	if !ok || k.Site != g.Site || k.Label != g.Announced.Label {
		return s
	}
	for _, m := range k.Services {
		if len(s.live) < g.Announced.Max && s.check(&m, true) == nil {
			s.live = append(s.live, m)
		}
	}
	slices.SortFunc(s.live, func(x, y announcedMember) int { return strings.Compare(x.Name, y.Name) })
	s.live = slices.CompactFunc(s.live, func(x, y announcedMember) bool { return x.Name == y.Name })
	return s
}
