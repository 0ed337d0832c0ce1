package access

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	usedSuffix = ".used"
	// keepInterval is the least time between two writes of when tokens were used.
	keepInterval = time.Minute
	// usedStep is how exactly it is known.
	usedStep = time.Second
)

// usedTimes is when tokens were used last. It stands beside the tokens file: that one is only written by people.
type usedTimes struct {
	path string
	log  *zap.Logger

	mu      sync.Mutex
	at      map[string]time.Time // by id
	changed bool
}

// newUsedTimes reads the file of a run before. What cannot be read is left: nobody is refused for it.
func newUsedTimes(path string, log *zap.Logger) *usedTimes {
	u := &usedTimes{path: path, log: log, at: map[string]time.Time{}}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return u
	}
	var text []byte
	if err == nil {
		defer f.Close()
		text, err = io.ReadAll(io.LimitReader(f, maxFileBytes))
	}
	var at map[string]time.Time
	if err == nil {
		err = json.Unmarshal(text, &at)
	}
	switch {
	case err != nil:
		log.Warn("access.used_unreadable", zap.String("file", path), zap.Error(err))
	case at != nil && len(at) <= MaxTokens:
		u.at = at
	}
	return u
}

func (u *usedTimes) note(id string, now time.Time) {
	now = now.UTC().Truncate(usedStep)
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.at[id].Before(now) {
		u.at[id], u.changed = now, true
	}
}

func (u *usedTimes) of(id string) time.Time {
	if u == nil {
		return time.Time{}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.at[id]
}

// keep writes the times of the tokens that there are, when they have changed.
func (u *usedTimes) keep(k *known) {
	u.mu.Lock()
	if !u.changed {
		u.mu.Unlock()
		return
	}
	there := make(map[string]time.Time, len(u.at))
	for i := range k.tokens {
		if at, ok := u.at[k.tokens[i].ID]; ok {
			there[k.tokens[i].ID] = at
		}
	}
	u.at, u.changed = there, false
	text, err := json.Marshal(maps.Clone(there))
	u.mu.Unlock()
	if err == nil {
		err = replace(u.path, append(text, '\n'))
	}
	if err != nil {
		u.log.Warn("access.used_unwritable", zap.String("file", u.path), zap.Error(err))
	}
}
