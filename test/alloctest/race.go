//go:build race

package alloctest

// slack is what the race detector adds to what is allocated, and it empties pools at random. The bound itself holds
// without it: "make costs".
const slack = 16
