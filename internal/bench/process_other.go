//go:build !linux

package bench

import (
	"errors"
	"time"
)

func bindProcess(cpus []int) error {
	if len(cpus) == 0 {
		return nil
	}
	return errors.ErrUnsupported
}

// processTime is not known here.
func processTime() time.Duration { return 0 }
