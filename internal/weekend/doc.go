// Package weekend holds a test of what a weekend of parked payouts does to everybody else: nothing. It runs
// the real engine on a real nats-server; the providers are in memory, because they are not what is asked
// about. docs/reliability.md shows the measurement.
package weekend
