// Package archtest holds who may import whom, each edge with its reason, and two rules that no linter has: only the
// edges read the clock, and no test is left out in silence.
package archtest
