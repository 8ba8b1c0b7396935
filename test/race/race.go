// Package race says whether the race detector watches a test. It makes code that reads, sorts and hashes about ten times
// slower, and in a test of one goroutine it has nothing to find. Such a test does a sample of its cases under the race
// detector and all of them without it: "make test" runs these packages in both ways.
package race

// Sample returns every n-th of the cases, from the first on, under the race detector, and all of them without it.
func Sample[T any](cases []T, n int) []T {
	if !Enabled {
		return cases
	}
	var some []T
	for i := 0; i < len(cases); i += n {
		some = append(some, cases[i])
	}
	return some
}

// Share returns how many of n repetitions a test does: one in so many under the race detector, and at least one; all of
// them without it.
func Share(n, one int) int {
	if !Enabled {
		return n
	}
	return max(n/one, 1)
}
