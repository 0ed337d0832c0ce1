//go:build !linux

package bench

import (
	"context"
	"errors"
)

// hasRaw says that this system has no raw engine.
const hasRaw = false

func runRaw(context.Context, *worker) error { return errors.ErrUnsupported }
