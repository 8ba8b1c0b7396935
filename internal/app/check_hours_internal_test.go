package app

import (
	"testing"
	"time"

	"payonce/pkg/calendar"
	"payonce/pkg/payment"
)

// The self-check says that a provider is closed now and until when, and of operations with hours of their own each.
func TestHoursNow(t *testing.T) {
	hours, err := calendar.Parse(calendar.Config{Zone: "Asia/Seoul", Days: "mon-fri", Hours: "08:00-23:30"})
	if err != nil {
		t.Fatal(err)
	}
	seoul := time.FixedZone("KST", 9*3600)
	for _, c := range []struct {
		now  time.Time
		of   func(payment.Operation) calendar.Hours
		want string
	}{
		{time.Date(2026, 11, 28, 12, 0, 0, 0, seoul), func(payment.Operation) calendar.Hours { return hours }, "closed until Mon 08:00 KST (1d 20h)"},
		{time.Date(2026, 11, 27, 23, 0, 0, 0, seoul), func(payment.Operation) calendar.Hours { return hours }, "open until Fri 23:30 KST (30m 0s)"},
		{time.Date(2026, 11, 28, 12, 0, 0, 0, seoul), func(op payment.Operation) calendar.Hours {
			if op == payment.Deposit {
				return calendar.Hours{}
			}
			return hours
		}, "deposits: always open\npayouts: closed until Mon 08:00 KST (1d 20h)"},
	} {
		if got := hoursNow([]payment.Operation{payment.Deposit, payment.Payout}, c.of, c.now); got != c.want {
			t.Errorf("at %s: %q, want %q", c.now, got, c.want)
		}
	}
}
