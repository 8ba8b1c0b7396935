package worker_test

import (
	"context"
	"testing"

	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

func page(url string) *payment.Action {
	return &payment.Action{Type: payment.ActionRedirect, Redirect: &payment.Redirect{Method: "GET", URL: url}}
}

// What the customer must do is kept beside the log. Received again it is no news; another one takes its place; and one that
// was erased is stored again when the provider repeats it.
func TestTheSameActionAgainIsNoNews(t *testing.T) {
	whenAsked(t, func(a asked) {
		accepted := func(url string) payment.Observation {
			return payment.Observation{Kind: payment.Accepted, Action: page(url)}
		}
		want := func(what string, events, stored int) {
			t.Helper()
			if got := len(a.log.history("o-1")); got != events || len(a.log.actions) != stored {
				t.Errorf("%s: %d events and %d actions, want %d and %d", what, got, len(a.log.actions), events, stored)
			}
		}
		before, actions := len(a.log.history("o-1")), len(a.log.actions)
		a.hear(accepted("https://pay.example/1"))
		want("the first", before+1, actions+1)
		a.hear(accepted("https://pay.example/1"))
		want("the same again", before+1, actions+1)
		a.hear(accepted("https://pay.example/2"))
		want("another", before+2, actions+2)
		clear(a.log.actions)
		a.hear(accepted("https://pay.example/2"))
		want("the same after an erasure", before+3, 1)
		if p := a.log.now("o-1"); p.Action.Missing() || p.Action.Redirect.URL != "https://pay.example/2" {
			t.Errorf("%+v", p.Action)
		}
		clear(a.log.actions)
		a.hear(payment.Observation{Kind: payment.Paid})
		if p := a.log.now("o-1"); p.Status != payment.Settled || p.Action != nil {
			t.Errorf("without the content of its action the payment is %s, %+v", p.Status, p.Action)
		}
	})
}

// An action that cannot be read is no reason to write or to lose what the provider said: the webhook comes again.
func TestAnActionThatCannotBeReadNow(t *testing.T) {
	whenAsked(t, func(a asked) {
		a.hear(payment.Observation{Kind: payment.Accepted, Action: page("https://pay.example/1")})
		before := len(a.log.history("o-1"))
		a.log.failActions(errPort)
		again := a.webhook("o-1", payment.Observation{Kind: payment.Accepted, Action: page("https://pay.example/2")})
		a.want(a.worker.Webhook(context.Background(), again), queue.Retry)
		a.log.failActions(nil)
		a.want(a.worker.Webhook(context.Background(), again), queue.Done)
		if got := len(a.log.history("o-1")); got != before+1 {
			t.Errorf("%d events, want %d", got, before+1)
		}
	})
}
