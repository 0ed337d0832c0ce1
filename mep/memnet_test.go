package mep

import "fairlead/internal/testkit/memnet"

// memNet is a network in memory for bubbles.
type memNet = memnet.Network

func newMemNet() *memNet { return memnet.New() }
