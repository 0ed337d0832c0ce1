package udp

import "sync/atomic"

// Stats is sums over all workers since Listen.
type Stats struct {
	Batches     uint64 // calls of Handler.Serve
	Packets     uint64 // datagrams received
	Cut         uint64 // of these, longer than BufferSize
	Sent        uint64 // responses that the kernel took
	ReadErrors  uint64 // receives that failed
	WriteErrors uint64 // responses that the kernel refused, for a reason of that response alone
	Dropped     uint64 // responses that found the send buffer full
	TooLarge    uint64 // responses that did not fit into one packet of the interface; a shorter one counts in Sent
	GSOSends    uint64 // sends that carried more than one response
	GSOPackets  uint64 // responses in these
	GSORefused  uint64 // such sends that the kernel refused; their responses were sent one by one
	KernelDrops uint64 // datagrams that the kernel dropped because a receive buffer was full; Linux only
}

// Add adds another server's sums.
func (st *Stats) Add(o Stats) {
	st.Batches += o.Batches
	st.Packets += o.Packets
	st.Cut += o.Cut
	st.Sent += o.Sent
	st.ReadErrors += o.ReadErrors
	st.WriteErrors += o.WriteErrors
	st.Dropped += o.Dropped
	st.TooLarge += o.TooLarge
	st.GSOSends += o.GSOSends
	st.GSOPackets += o.GSOPackets
	st.GSORefused += o.GSORefused
	st.KernelDrops += o.KernelDrops
}

// counters are one worker's. Only the worker adds.
type counters struct {
	batches, packets, cut, sent                atomic.Uint64
	readErrors, writeErrors, dropped           atomic.Uint64
	tooLarge, gsoSends, gsoPackets, gsoRefused atomic.Uint64

	_ [64]byte // the next worker's are in another cache line
}

// addTo adds the counters to st.
func (c *counters) addTo(st *Stats) {
	st.Batches += c.batches.Load()
	st.Packets += c.packets.Load()
	st.Cut += c.cut.Load()
	st.Sent += c.sent.Load()
	st.ReadErrors += c.readErrors.Load()
	st.WriteErrors += c.writeErrors.Load()
	st.Dropped += c.dropped.Load()
	st.TooLarge += c.tooLarge.Load()
	st.GSOSends += c.gsoSends.Load()
	st.GSOPackets += c.gsoPackets.Load()
	st.GSORefused += c.gsoRefused.Load()
}
