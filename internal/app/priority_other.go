//go:build !linux

package app

// yieldProcessor does nothing on other systems.
func yieldProcessor() error { return nil }
