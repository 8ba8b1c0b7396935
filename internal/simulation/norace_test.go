//go:build !race

package simulation_test

// defaultRuns take about 20 seconds. A mistake that needs more than mostRuns is not tried.
const defaultRuns, mostRuns, harmlessRuns = 2500, 1_000_000, 300
