//go:build race

package simulation_test

// The race detector makes a run ten times slower. Each run is a world of its own, so a few show what it can find:
// something that worlds share. The long search and the mistakes are for make simulate, which runs without it.
const defaultRuns = 200
