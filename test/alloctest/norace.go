//go:build !race

package alloctest

const slack = 1
