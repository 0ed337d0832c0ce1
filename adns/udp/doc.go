// Package udp moves datagrams between sockets and a handler, in batches, with as little work per datagram as the system
// allows. It knows nothing of DNS.
//
// A server has one address. Each of its workers is one goroutine with a socket of its own (SO_REUSEPORT, on Linux) and a
// Handler of its own, so that nothing on the way of a datagram is shared. A worker receives up to BatchSize datagrams
// with one call, hands them to Handler.Serve, and sends all responses with one call. Consecutive responses to the same
// client become one send that the kernel cuts up (UDP GSO).
//
// There are three ways to wait for datagrams; IO names them. Raw is the fastest and has a price: a worker blocks inside
// the kernel without telling the Go scheduler, and keeps its thread and its processor (the P of the scheduler) also while
// it waits. That is what saves the two context switches that a wake-up costs otherwise. After a second without a datagram
// it gives the processor back, until the next one. It works because of three things, and holds up the garbage collector,
// or everything, without them:
//
//   - The socket has a receive time-out. Only then does the kernel end the wait when the runtime sends its preemption
//     signal (SIGURG); without one it restarts the call (signal(7), SA_RESTART).
//   - After each wait without a datagram the worker yields (runtime.Gosched), where the collector can stop it.
//   - GOMAXPROCS leaves processors to everything else: see RaiseGOMAXPROCS.
//
// A self-test at start shows that the system does all of it; Auto takes Netpoll where it does not.
//
// Memory that the kernel writes to is on the heap, where Go moves nothing, and is reachable as long as the worker runs.
package udp
