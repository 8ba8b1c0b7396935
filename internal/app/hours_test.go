package app_test

import (
	"io"
	"testing"
	"time"

	"payonce/internal/app"
	"payonce/pkg/payment"
	"payonce/pkg/worker"
)

// saturday is closed at ECommPay; monday is its first instant after it.
var (
	saturday = time.Date(2026, 11, 21, 12, 0, 0, 0, time.FixedZone("KST", 9*3600))
	monday   = time.Date(2026, 11, 23, 8, 0, 0, 0, time.FixedZone("KST", 9*3600))
)

// testenvIsAlwaysOpen fails the test unless every account of the testenv takes payments on a Saturday.
func testenvIsAlwaysOpen(t *testing.T, path string) {
	t.Helper()
	rt, err := app.Load(app.Worker(), path, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range rt.Connectors.Names() {
		for _, op := range payment.Operations() {
			if !app.Opening(rt.Config)(name, op).Hours.Open(saturday) {
				t.Errorf("%s is closed for a %s", name, op)
			}
		}
	}
}

func TestOpeningIsWhatTheConfigurationSays(t *testing.T) {
	s := configured(t, "nats://127.0.0.1:1")
	open := "hours: {always_open: true}"
	s.Edit(open+" # a test environment runs at any hour\n", "hours: {when_closed: {deposit: reject, payout: send}}\n", "    "+open+"\n", "")
	rt, err := app.Load(app.Worker(), s.Config, io.Discard)
	s.Must(err)
	opening := app.Opening(rt.Config)
	for _, c := range []struct {
		provider string
		op       payment.Operation
		want     worker.ClosedPolicy
		open     bool
	}{
		{"ecommpay-kr", payment.Deposit, worker.RejectClosed, false},
		{"ecommpay-kr", payment.Payout, worker.SendClosed, false},
		{"ecommpay-kr-redirect", payment.Deposit, worker.ParkClosed, false},
		{"ecommpay-kr-redirect", payment.Payout, worker.ParkClosed, false},
		{"teemopay-kr", payment.Payout, worker.ParkClosed, true},
	} {
		is := opening(c.provider, c.op)
		if is.Closed != c.want || is.Hours.Open(saturday) != c.open {
			t.Errorf("%s %s: %s, open %v", c.provider, c.op, is.Closed, is.Hours.Open(saturday))
		}
		if opens, ever := is.Hours.NextOpening(saturday); !c.open && (!ever || !opens.Equal(monday)) {
			t.Errorf("%s %s opens %s", c.provider, c.op, opens)
		}
	}
	// A payout that is not done on Friday night waits for longer than ECommPay's threshold, so none is sent then.
	friday := saturday.Add(-24 * time.Hour)
	for op, want := range map[payment.Operation]time.Duration{payment.Deposit: 11*time.Hour + 59*time.Minute, payment.Payout: 11*time.Hour + 49*time.Minute} {
		is := opening("ecommpay-kr-redirect", op)
		if closes, ever := is.Hours.NextClosing(friday); !ever || closes.Sub(friday) != want || !is.WallThreshold {
			t.Errorf("ECommPay closes for a %s %s after Friday noon, want %s; %+v", op, closes.Sub(friday), want, is)
		}
	}
	if opening("teemopay-kr", payment.Payout).WallThreshold {
		t.Error("the threshold of a provider that documents none counts any time")
	}
}
