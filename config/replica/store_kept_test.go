package replica_test

import (
	"fmt"
	"testing"

	"fairlead/config/replica"
	"fairlead/config/store"
)

// TestSitesWithDirectories: sites whose stores are in directories, which keep few revisions, come to the same.
func TestSitesWithDirectories(t *testing.T) {
	for n := range uint64(4) {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			replica.PlayKept(t, n, func(dir string) (replica.Store, func() error, error) {
				s, err := store.Open(dir, store.Options{Revisions: 10})
				if err != nil {
					return nil, nil, err
				}
				return s, s.Close, nil
			})
		})
	}
}

// TestLaterRelease: what only a later release knows is kept by those that do not.
func TestLaterRelease(t *testing.T) {
	dir := t.TempDir()
	replica.PlayLater(t, func() (replica.Store, func() error, error) {
		s, err := store.Open(dir, store.Options{})
		if err != nil {
			return nil, nil, err
		}
		return s, s.Close, nil
	})
}
