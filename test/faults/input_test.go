package faults

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/test/natstest"
	"payonce/test/testenv"
)

// Whatever an upstream publishes lies in DEADLETTERS with its reason, and the payments around it settle.
func TestBadCommandsBecomeDeadLetters(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx := within(t, timeout)
	s.Edit("\nworker:\n", "\nworker:\n  unknown_provider_for: 1s\n")
	s.worker()
	body := func(provider, order, value string) string {
		return fmt.Sprintf(`{"provider":%q,"order":%q,"amount":{"value":%q,"currency":"KRW"},"customer":{"name":"홍길동"}}`, provider, order, value)
	}
	bad := []struct {
		subject, body string
		reason        events.DeadReason
	}{
		{"deposit.requested", "garbage", events.DeadUndecodable},
		{"deposit.requested." + testenv.TeemoPay + ".bad-1", "\x00\xff", events.DeadUndecodable},
		{"deposit.requested", body("nobody-kr", "bad-2", "1000"), events.DeadUnknownProvider},
		{"payout.requested.nobody-kr.bad-3", body("nobody-kr", "bad-3", "1000"), events.DeadUnknownProvider},
		{"deposit.requested." + testenv.TeemoPay + ".bad-4", body(testenv.TeemoPay, "bad-4", "1000") + strings.Repeat(" ", events.MaxCommandBytes), events.DeadTooBig},
		{"deposit.requested", body(testenv.TeemoPay, "bad-5", "10.5"), events.DeadInvalid},
		{"deposit.requested", body(testenv.TeemoPay, "bad-6", "-1000"), events.DeadInvalid},
		{"deposit.requested." + testenv.TeemoPay + ".bad-7", body(testenv.TeemoPay, "bad-8", "1000"), events.DeadMismatch},
	}
	js := natstest.JetStream(t, s.nats.URL)
	want := map[events.DeadReason]int{}
	var good []order
	for i, b := range bad {
		_, err := js.Publish(ctx, b.subject, []byte(b.body))
		s.Must(err)
		want[b.reason]++
		o := order{payment.Ref{Provider: testenv.TeemoPay, Order: fmt.Sprintf("good-%d", i)}, payment.Deposit}
		s.publish(ctx, o)
		good = append(good, o)
	}
	s.settleOnce(ctx, good...)
	s.untilDead(ctx, want)
	for _, named := range []string{"bad-1", "bad-4", "bad-5", "bad-6"} { // they could be named, so they failed
		p, _, err := s.Log.Last(ctx, payment.Ref{Provider: testenv.TeemoPay, Order: named})
		if err != nil || p.Status != payment.Failed {
			t.Errorf("%s: %s, %v", named, p.Status, err)
		}
	}
}

// untilDead waits until the dead letters are these.
func (s *system) untilDead(ctx context.Context, want map[events.DeadReason]int) {
	s.t.Helper()
	s.happens(ctx, fmt.Sprintf("the dead letters %v", want), func() bool {
		deadLetters, err := s.Log.DeadLetters(ctx, 0, 100)
		s.Must(err)
		have := map[events.DeadReason]int{}
		for _, deadLetter := range deadLetters {
			have[deadLetter.Reason]++
		}
		return fmt.Sprint(have) == fmt.Sprint(want)
	})
}
