//go:build !linux

package udp

import (
	"context"
	"errors"
)

// haveBatches says whether Raw and Netpoll exist here.
const haveBatches = false

func openBatches(context.Context, *Server, *Options) error {
	return errors.New("sockets with batches exist on Linux only")
}

func testRaw() error { return errors.New("it exists on Linux only") }
