package faults

import (
	"testing"
	"time"

	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
	simulator "payonce/pkg/sandbox/ecommpay"
	"payonce/test/testenv"
)

// pageOver is when a page of a day is asked about, from the order on.
const pageOver = 25*time.Hour + 48*time.Hour + time.Minute

func notFound(times int) func(payment.Payment) bool {
	return func(p payment.Payment) bool { return p.NotFound == times }
}

func atItsEnd(p payment.Payment) bool { return p.Status.Ended() }

// No customer comes: the order is looked up, and when none can come any more, two answers end it. No operator is alerted.
func TestNobodyComes(t *testing.T) {
	s := startPage(t)
	s.checkout("left")
	for i, passed := range []time.Duration{10 * time.Minute, time.Hour, 6 * time.Hour, 48 * time.Hour} {
		s.clock.pass(passed)
		s.asked("left", i+1)
	}
	s.clock.pass(pageOver - 55*time.Hour - 10*time.Minute)
	s.until("left", "not found once", notFound(1))
	s.clock.pass(10 * time.Minute)
	s.until("left", "at its end", atItsEnd)
	all := s.want("left", payment.Submitting, payment.Pending, payment.Pending, payment.Failed)
	last := all[len(all)-1]
	if last.Reason.Code != payment.ReasonAbandoned || last.Reason.ProviderCode != "3061" || last.NotFound != 2 || last.Known {
		t.Errorf("%+v %+v", last, last.Reason)
	}
	if open := last.PageClosesAt.Sub(last.SubmittedAt); open < 24*time.Hour-time.Minute || open > 24*time.Hour+time.Minute {
		t.Errorf("the page was open for %s", open)
	}
	if waited := all[2].NotFoundAt.Sub(last.PageClosesAt); waited < 48*time.Hour+time.Minute {
		t.Errorf("believed %s after the close", waited)
	}
}

// The customer confirms in the last minute, no callback comes for a day, and pays: who asks hears of the order. The
// provider then has a threshold of its own to end it.
func TestTheCustomerComesInTheLastMinute(t *testing.T) {
	s := startPage(t)
	link := s.checkout("late")
	s.clock.pass(24*time.Hour - time.Minute)
	if !s.visit(link) {
		t.Fatal("the page was closed")
	}
	s.clock.pass(24*time.Hour + time.Minute)
	known := s.until("late", "known", func(p payment.Payment) bool { return p.Known })
	if known.Status != payment.Pending || known.NotFound != 0 {
		t.Errorf("%+v", known)
	}
	s.Must(s.Sandbox.Pay(testenv.ECommPay, "late", 0))
	s.until("late", "at its end", atItsEnd)
	s.want("late", payment.Submitting, payment.Pending, payment.Pending, payment.Settled)
}

// After the close the page takes no customer. Should the provider not keep to that, the money is seen all the same.
func TestTheCustomerPaysWhatHadFailed(t *testing.T) {
	s := startPage(t)
	link := s.checkout("back")
	s.clock.pass(pageOver)
	s.until("back", "not found once", notFound(1))
	if s.visit(link) {
		t.Fatal("the page is still open")
	}
	s.clock.pass(10 * time.Minute)
	s.until("back", "at its end", atItsEnd)
	open := simulator.SignedLink(pageKey, s.url, map[string]string{
		"project_id": "200", "payment_id": "back", "payment_amount": "10000", "payment_currency": "KRW", "customer_id": "21",
	})
	if !s.visit(open) {
		t.Fatal("the page without an end is closed")
	}
	s.Must(s.Sandbox.Pay(testenv.ECommPay, "back", 0))
	is := s.until("back", "a conflict", func(p payment.Payment) bool { return p.Status == payment.Conflict })
	if is.Reason.Code != payment.ReasonContradiction {
		t.Errorf("%+v", is.Reason)
	}
}

// A look-up that fails says nothing, however late it is. It is asked again, and holds no other payment up.
func TestWhatCannotBeAskedDoesNotEnd(t *testing.T) {
	s := startPage(t)
	s.checkout("mute-x-query503")
	s.clock.pass(time.Minute) // a person is alerted to the one a threshold after it was over
	s.checkout("left")
	s.clock.pass(pageOver)
	s.asked("mute-x-query503", 1)
	s.until("left", "not found once", notFound(1)) // by the same timer, behind it
	s.want("mute-x-query503", payment.Submitting, payment.Pending)
	truth, err := s.Sandbox.Order(testenv.ECommPay, "mute-x-query503")
	s.Must(err)
	for _, r := range truth.Requests {
		if r.Action == sandbox.ActionQuery && r.Reply != 503 {
			t.Errorf("%+v", r)
		}
	}
}
