//go:build !race

package simulation_test

// defaultRuns take about 20 seconds.
const defaultRuns = 2500
