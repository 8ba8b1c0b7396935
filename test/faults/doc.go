// Package faults holds tests that kill real processes: a nats-server, a redis-server, an ingress and
// workers, against the provider's sandbox. In all of them the sandbox accepts an order number as often
// as it is sent, each time as a charge of its own, so that what keeps a payment single is payonce alone.
//
// Customers who leave a Payment Page and payments that wait for a weekend have the engine in this process,
// on a real nats-server: they need a clock of their own, or providers that cost nothing. What a weekend
// costs others is measured by make weekend; starts and resumptions with many payments by make scale, with
// the build tag measure.
//
// The tests need Go and redis-server. They fail without them when REQUIRE_SERVICES=1 is set.
package faults
