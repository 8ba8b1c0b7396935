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
// and Redis; clarifications; the breakers' library; what a person decides about an outcome. A suspended process loses its open requests at their deadline,
// as net/http does it.
package simulation
