package campaign

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
)

// The small campaign of the tests has enough of each kind, so that it fails if one is not played.
func TestSmallCampaignPlansAll(t *testing.T) {
	e := Evidence{Orders: makeOrders(1, smallest.Orders), ForeignOrders: map[payment.Ref]bool{}, Closings: map[string][]closing{closes: closings(noon, smallest.Duration)}}
	for i := range 3 {
		e.ForeignOrders[payment.Ref{Provider: account, Order: fmt.Sprint(i)}] = true
	}
	for _, o := range e.Orders {
		o.Accepted = true
	}
	for _, one := range playedIn(e) {
		if one.planned == (one.name == "withdrawn") {
			t.Errorf("%s: planned is %t", one.name, one.planned)
		}
	}
}

// A run whose planned kinds did not happen is no good run, and says so; nothing else is needed for that.
func TestWhatNeverHappenedIsTold(t *testing.T) {
	w := good()
	e := w.evidence()
	for range enough {
		e.Orders = append(e.Orders, &Order{Ref: w.order.Ref, Accepted: true, Faults: []sandbox.FaultName{sandbox.LostCallback}})
	}
	var out bytes.Buffer
	c := &run{Options: Options{Out: &out, Orders: 1}, system: &system{}, strike: &striker{}}
	if err := c.tell(&findings{Verdict{}, e}); !errors.Is(err, ErrNotPlayed) || !strings.Contains(out.String(), "NEVER HAPPENED: lost_webhooks\n") {
		t.Errorf("%v\n%s", err, out.String())
	}
	e.Truth.Accounts[0].Orders[0].Callbacks = []sandbox.Callback{{Lost: true}}
	if err := c.tell(&findings{Verdict{}, e}); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
}

// Each count comes from what really happened.
func TestPlayedCountsWhatHappened(t *testing.T) {
	parked := func(code string) func(w *world) {
		return func(w *world) {
			p := &w.log[1]
			p.Status, p.Reason = payment.Parked, &payment.Reason{Code: code}
		}
	}
	for name, spoil := range map[string]func(w *world){
		"lost_webhooks": func(w *world) { w.statement.Callbacks = []sandbox.Callback{{Lost: true}} },
		"clarified": func(w *world) {
			w.statement.Requests = []sandbox.Request{{Action: sandbox.ActionClarify, Outcome: sandbox.Accepted}}
		},
		"answered_twice": func(w *world) { w.actions.AnswersTried = 2 },
		"reversed":       func(w *world) { reversal(w); w.last(payment.Reversed) },
		"repeated":       func(w *world) { w.actions.Repeated = 1 },
		"reused_http":    func(w *world) { w.actions.OthersRefused = 1 },
		"reused_nats":    func(w *world) { w.actions.OthersTaken = 1 },
		"outsiders":      func(w *world) { w.strange(); w.dead = deadLetter(events.DeadUnknownOrder) },
		"forged":         func(w *world) { w.forged = []Forgery{{w.order.Ref, 401}} },
		"resumed":        parked(payment.ReasonClosed),
		"funded":         parked(payment.ReasonBalance),
		"withdrawn":      parked(payment.ReasonStopping),
		"cancelled":      func(w *world) { w.actions.Cancelled = true },
		"released":       func(w *world) { w.actions.Released = 1 },
		"replayed":       func(w *world) { w.actions.Replayed = 1 },
		"dropped":        func(w *world) { w.actions.Dropped = 1 },
	} {
		w := good()
		spoil(w)
		var happened []string
		for _, one := range playedIn(w.evidence()) {
			if one.count > 0 {
				happened = append(happened, one.name)
			}
		}
		want := []string{name}
		if before := map[string]string{"resumed": "parked_closed", "funded": "low_balance"}[name]; before != "" {
			want = []string{before, name}
		}
		if !slices.Equal(happened, want) {
			t.Errorf("%s: %v", name, happened)
		}
	}
	if line, missing := playedLine([]act{{"a", 1, true}, {"b", 0, true}, {"c", 0, false}}); line != "played: a=1 b=0 c=0" || !slices.Equal(missing, []string{"b"}) {
		t.Errorf("%q, %v", line, missing)
	}
}
