//go:build !linux

package app

// yieldProcessor does nothing where priorities are not known.
func yieldProcessor() error { return nil }
