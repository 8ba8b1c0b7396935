// Package scale holds measurements with real worker processes on a real nats-server and a real redis-server: a start
// beside a long log, a weekend of parked payouts that resumes over several workers, and a provider that comes back
// to a crowd. They take minutes, so they are built with the tag measure only; docs/performance.md shows them.
package scale
