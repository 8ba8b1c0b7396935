// Package archtest holds the rules of the code base as tests: who may import whom, where the clock may
// be read, how large a file may be. Each rule and each exception stands in a table with its reason.
package archtest
