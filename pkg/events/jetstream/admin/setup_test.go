package admin_test

import (
	"testing"

	"payonce/test/jetstreamtest"
)

var (
	testConfig, testContext, options, start = jetstreamtest.Config, jetstreamtest.Context, jetstreamtest.Options, jetstreamtest.Start
	connect, foreign, ref, orders           = jetstreamtest.Connect, jetstreamtest.Foreign, jetstreamtest.Ref, jetstreamtest.Orders
	paymentOf, publish, consuming           = jetstreamtest.PaymentOf, jetstreamtest.Publish, jetstreamtest.Consuming
	eventually, messages                    = jetstreamtest.Eventually, jetstreamtest.Messages
)

func receive[T any](t *testing.T, ch <-chan T, what string) T {
	t.Helper()
	return jetstreamtest.Receive(t, ch, what)
}
