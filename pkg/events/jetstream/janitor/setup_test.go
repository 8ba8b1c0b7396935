package janitor_test

import (
	"testing"

	"payonce/test/jetstreamtest"
)

const timeout = jetstreamtest.Timeout

var (
	testConfig, testContext, options, start = jetstreamtest.Config, jetstreamtest.Context, jetstreamtest.Options, jetstreamtest.Start
	connect, foreign, ref, orders           = jetstreamtest.Connect, jetstreamtest.Foreign, jetstreamtest.Ref, jetstreamtest.Orders
	publish, consuming, eventually          = jetstreamtest.Publish, jetstreamtest.Consuming, jetstreamtest.Eventually
	messages                                = jetstreamtest.Messages
)

func receive[T any](t *testing.T, ch <-chan T, what string) T {
	t.Helper()
	return jetstreamtest.Receive(t, ch, what)
}
