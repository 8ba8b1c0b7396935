package faults

import (
	"fmt"
	"testing"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/test/testenv"
)

const deploys = 5

// Workers are stopped and started five times, each time in the middle of a payment's tries, while the
// provider cannot be reached. That costs no payment an attempt or a wait; when the provider is back each is
// sent once.
func TestDeploysCostNoAttempt(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx := within(t, timeout)
	dark := s.unreachable()
	var orders []order
	add := func(name string) order {
		o := order{payment.Ref{Provider: testenv.TeemoPay, Order: name}, payment.Operations()[len(orders)%2]}
		orders = append(orders, o)
		s.publish(ctx, o)
		return o
	}
	for n := range 20 {
		add(fmt.Sprintf("deploy-load-%02d", n))
	}
	for n := range deploys {
		old := s.worker()
		s.stands(ctx, add(fmt.Sprintf("deploy-%d", n)), payment.Submitting)
		s.Must(old.Stop(testenv.StopTimeout))
	}
	testenv.HTTP(t, dark, s.Sandbox)
	s.worker()
	withdrawn := 0
	for _, o := range orders {
		records := s.endedOnce(ctx, o)
		withdrawn += s.checkAttempts(o, records)
		s.createdOnce(o)
	}
	if withdrawn == 0 {
		t.Error("no worker was stopped in the middle of its tries: nothing was tested")
	}
	t.Logf("%d payments, %d deploys, %d attempts reversed", len(orders), deploys, withdrawn)
}

// checkAttempts makes sure that every attempt counts but those that were reversed, which are returned.
func (s *system) checkAttempts(o order, records []events.Record) (withdrawn int) {
	s.t.Helper()
	attempts := 0
	for i, r := range records {
		p := r.Payment
		if p.Status == payment.Submitting {
			attempts++
		}
		if p.Status == payment.Parked && p.Reason.Code == payment.ReasonStopping {
			withdrawn++
			attempts--
			if p.ResumeAt.After(p.UpdatedAt) || records[i+1].Payment.Status != payment.Submitting {
				s.t.Errorf("%s: reversed at %s to wait until %s, then %s", o.ref, p.UpdatedAt, p.ResumeAt, records[i+1].Payment.Status)
			}
		}
		if p.Attempts != attempts {
			s.t.Errorf("%s: event %d (%s) has %d attempts, want %d", o.ref, i+1, p.Status, p.Attempts, attempts)
		}
	}
	return withdrawn
}

// unreachable gives the workers a configuration in which no server listens where TeemoPay should be. Its breaker
// is off, so that they keep trying.
func (s *system) unreachable() (address string) {
	s.t.Helper()
	address = testenv.FreeAddress(s.t)
	s.Edit("base_url: "+s.At.Sandbox+"/"+testenv.TeemoPay+"\n", "base_url: http://"+address+"/"+testenv.TeemoPay+"\n",
		"kind: teemopay\n    breaker: {open_for: 2s}", "kind: teemopay\n    breaker: {off: true}")
	return address
}
