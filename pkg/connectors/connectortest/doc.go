// Package connectortest is the suite that every connector passes, see docs/connectors.md.
//
// The connector is put in front of a real TCP server that plays the provider from a [Harness] and has
// the faults of a network between the two: refused and reset connections, deadlines, half and endless
// replies, redirects. What leaves the connector is judged as bytes, and what it learns is judged by
// payment.Decide, so that a rule fails only where money could go wrong.
//
// A [Gateway] and what is beside it serve the tests that a connector has of its own.
package connectortest
