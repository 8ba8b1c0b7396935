package worker_test

import (
	"context"
	"testing"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

func TestIntake(t *testing.T) {
	inBubble(t, func(d *testbed) {
		p, m := d.start(), d.message(d.order("o-1"))
		long := m.Subject
		m.Subject = events.ShortSubject(payment.Deposit)
		if v := p.Intake(context.Background(), m); v.Kind != queue.Forward || v.Subject != long {
			t.Errorf("the verdict is %+v, want %s", v, long)
		}
		bad := m
		bad.Data = []byte("garbage")
		d.want(p.Intake(context.Background(), bad), queue.Dead, events.DeadUndecodable)
		// Out of an upstream's own stream: the long subject, and clarifications.
		m = d.message(d.order("o-1"))
		if v := p.Intake(context.Background(), m); v.Kind != queue.Forward || v.Subject != long {
			t.Errorf("the verdict is %+v, want %s", v, long)
		}
		other := m
		other.Subject = events.CommandSubject(payment.Deposit, payment.Ref{Provider: "other", Order: "o-1"})
		d.want(p.Intake(context.Background(), other), queue.Dead, events.DeadMismatch)
		ref, _ := events.SubjectRef(long)
		answer := events.Message{Subject: events.ClarificationSubject(ref), Data: []byte(`{"provider":"` + ref.Provider + `","order":"o-1","fields":{"a":{"b":"c"}}}`)}
		if v := p.Intake(context.Background(), answer); v.Kind != queue.Forward || v.Subject != answer.Subject {
			t.Errorf("the verdict is %+v, want %s", v, answer.Subject)
		}
		answer.Subject = "clarification.requested.no provider.o-1"
		d.want(p.Intake(context.Background(), answer), queue.Dead, events.DeadMismatch)
		m = d.message(d.order("o-1"))
		m.Subject = events.ShortSubject(payment.Deposit)
		replaced(`"o-1"`, `"o 1"`)(d, &m)
		d.want(p.Intake(context.Background(), m), queue.Dead, events.DeadInvalid)
		m = d.message(d.order("o-1"))
		m.Subject = events.ShortSubject(payment.Deposit)
		replaced(`"10000"`, `"-1"`)(d, &m)
		d.want(p.Intake(context.Background(), m), queue.Dead, events.DeadInvalid)
		d.log.want("o-1", payment.Failed)
		d.sent("o-1", 0, 0)
	})
}
