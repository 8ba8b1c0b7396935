//go:build crash

package main

import (
	"os"
	"strings"
	"sync/atomic"
	"syscall"

	"payonce/internal/app"
	"payonce/pkg/payment"
	"payonce/pkg/worker"
)

// A worker built with the tag "crash" kills itself, as kill -9 would, at the step that
// PAYONCE_CRASH_AT names, when it works on an order that contains PAYONCE_CRASH_ORDER. With
// PAYONCE_CRASH_SIGNAL=STOP it freezes instead, once, until it gets SIGCONT. With PAYONCE_CRASH_PANIC it panics
// with that text instead, once.
// The programs that are shipped are built without this file.
func init() {
	at, order := worker.Step(os.Getenv("PAYONCE_CRASH_AT")), os.Getenv("PAYONCE_CRASH_ORDER")
	signal := syscall.SIGKILL
	if os.Getenv("PAYONCE_CRASH_SIGNAL") == "STOP" {
		signal = syscall.SIGSTOP
	}
	text := os.Getenv("PAYONCE_CRASH_PANIC")
	var struck atomic.Bool // a worker that woke up may get the same order again
	app.OnStep = func(step worker.Step, ref payment.Ref) {
		if step != at || !strings.Contains(ref.Order, order) || struck.Swap(true) {
			return
		}
		if text != "" {
			panic(text)
		}
		_ = syscall.Kill(os.Getpid(), signal)
	}
}
