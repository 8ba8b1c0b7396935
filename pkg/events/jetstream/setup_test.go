package jetstream_test

import (
	"testing"

	"payonce/test/jetstreamtest"
)

const timeout = jetstreamtest.Timeout

var (
	testConfig, testContext, options = jetstreamtest.Config, jetstreamtest.Context, jetstreamtest.Options
	start, connect, foreign          = jetstreamtest.Start, jetstreamtest.Connect, jetstreamtest.Foreign
	ref, orders, paymentOf, command  = jetstreamtest.Ref, jetstreamtest.Orders, jetstreamtest.PaymentOf, jetstreamtest.Command
	publish, consuming               = jetstreamtest.Publish, jetstreamtest.Consuming
	mustAppend, walk, reconnect      = jetstreamtest.Append, jetstreamtest.Walk, jetstreamtest.Reconnect
	eventually, messages             = jetstreamtest.Eventually, jetstreamtest.Messages
)

func receive[T any](t *testing.T, ch <-chan T, what string) T {
	t.Helper()
	return jetstreamtest.Receive(t, ch, what)
}
