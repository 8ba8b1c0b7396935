// Package simulation runs the real engine of pkg/worker in a world that one seed decides: the log, the
// claims, the queue, the provider and the clock are models behind the engine's own ports, and every fault
// they know can happen at every call. A run plays about an hour of a few payments in about a millisecond,
// then the faults stop, time passes until nothing moves, and what the log says is held against what the
// provider really did.
//
// One goroutine runs at a time. Every handler is a coroutine that gives control back at each call of a
// port, and the world resumes them in the order of its virtual clock. The same seed gives the same trace.
//
// What is left out, because it is tested elsewhere with the real thing: the bytes of the providers, NATS
// and Redis; clarifications; the breakers' library; what a person decides about an outcome.
//
// A process has the clocks of its machine and a time that differs from the broker's within the clock bound. It stands
// still with both clocks going on, with the monotonic one standing still, or with both, at every call of a port and
// whenever it looks at a clock. Between the last check of a request and its first byte lies nothing. Both clocks never
// stand still in the window that docs/failure-modes.md states as open, which takes microseconds there: from the answer of
// the claim store or of the log in the last check on, and on a kept connection that is not fenced from the intent on. A
// process goes by the broker's time right after a suspension: that it must first measure it again is a planted mistake. A
// machine is not suspended with what its kernel has to deliver.
package simulation
