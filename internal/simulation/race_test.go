//go:build race

package simulation_test

// The race detector makes a run ten times slower and one goroutine runs at a time: a short search is enough.
const defaultRuns, mostRuns, harmlessRuns = 200, 300, 30
