//go:build !linux || 386

package direct

import "context"

type flight struct{}

// Reusable reports that nothing refers to the Exchange.
func (*flight) Reusable() bool { return true }

// Loop takes no exchanges on this system.
type Loop struct{}

// NewLoop returns a Loop.
func NewLoop() *Loop { return new(Loop) }

// Start reports that the exchange is not for the loop.
func (*Loop) Start(*Exchange) bool { return false }

// Together calls start.
func (*Loop) Together(start func()) { start() }

// Run waits until ctx ends.
func (*Loop) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}
