package campaign

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// upstream is the service that ordered the payments and reads the log. It answers what providers want to
// know, each time twice, and sends commands again under numbers that are known.
type upstream struct {
	load    *load
	actions *actions
	orders  map[payment.Ref]*Order
	work    sync.WaitGroup
	// known and answered are of the one goroutine that follows the log.
	known    map[payment.Ref]bool
	answered map[payment.Ref]bool
}

func newUpstream(l *load, d *actions, orders []*Order) *upstream {
	u := &upstream{load: l, actions: d, orders: map[payment.Ref]*Order{}, known: map[payment.Ref]bool{}, answered: map[payment.Ref]bool{}}
	for _, o := range orders {
		u.orders[o.Ref] = o
	}
	return u
}

// hear acts on one event of the log.
func (u *upstream) hear(ctx context.Context, p payment.Payment) {
	o := u.orders[p.Ref]
	if o == nil {
		return
	}
	if o.Again != NotAgain && !u.known[p.Ref] {
		u.known[p.Ref] = true
		u.work.Go(func() { untilDone(ctx, func() bool { return u.sendAgain(ctx, o) }) })
	}
	if question, asked := p.Clarification(); asked && !u.answered[p.Ref] {
		u.answered[p.Ref] = true
		answer := answerTo(p.Ref, question)
		for _, way := range []Way{o.Way, ByHTTP} { // at the same time
			u.work.Go(func() { untilDone(ctx, func() bool { return u.answer(ctx, p.Ref, answer, way) }) })
		}
	}
}

// untilDone repeats something until it is done or ctx ends.
func untilDone(ctx context.Context, do func() bool) {
	for pause := 200 * time.Millisecond; ctx.Err() == nil && !do(); pause = min(2*pause, 2*time.Second) {
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// sendAgain sends the same or another command and returns whether that came in.
func (u *upstream) sendAgain(ctx context.Context, o *Order) bool {
	text, other := o.Command, o.Again == OtherCommand
	if other {
		text = o.Other
		u.actions.add(o.Ref, func(d *Actions) { d.OthersTried++ })
	}
	if o.AgainBy == ByNATS {
		if !u.load.publish(ctx, events.CommandSubject(o.Operation, o.Ref), text) {
			return false
		}
		u.actions.add(o.Ref, taken(other))
		return true
	}
	status, body, err := u.load.post(ctx, "/v1/"+string(o.Operation)+"s", text)
	switch {
	case err != nil || mayComeAgain(status):
		return false
	case status == http.StatusAccepted:
		u.actions.add(o.Ref, taken(other))
	case other && status == http.StatusConflict:
		u.actions.add(o.Ref, func(d *Actions) { d.OthersRefused++ })
	default:
		u.load.problem(o.Ref, "sent again (%s), it was answered %d: %s", o.Again, status, body)
	}
	return true
}

func taken(other bool) func(*Actions) {
	if other {
		return func(d *Actions) { d.OthersTaken++ }
	}
	return func(d *Actions) { d.Repeated++ }
}

// answerTo fills in what the provider wants to know.
func answerTo(ref payment.Ref, question payment.Clarification) string {
	fields := map[string]map[string]string{}
	for group, names := range question.Fields {
		fields[group] = map[string]string{}
		for _, name := range names {
			fields[group][name] = "홍"
		}
	}
	text, err := json.Marshal(events.Clarification{Ref: ref, Fields: fields})
	if err != nil {
		panic("campaign: texts cannot fail to encode: " + err.Error())
	}
	return string(text)
}

// answer gives an answer once and returns whether nothing more is to be done with it.
func (u *upstream) answer(ctx context.Context, ref payment.Ref, text string, way Way) bool {
	u.actions.add(ref, func(d *Actions) { d.AnswersTried++ })
	was := func(d *Actions) { d.AnswersTaken++ }
	if way != ByHTTP {
		if !u.load.publish(ctx, events.ClarificationSubject(ref), text) {
			return false
		}
		u.actions.add(ref, was)
		return true
	}
	status, body, err := u.load.post(ctx, "/v1/payments/"+ref.String()+"/clarification", text)
	switch {
	case err != nil || mayComeAgain(status) || status == http.StatusNotFound: // its replica of the log lags
		return false
	case status == http.StatusAccepted:
		u.actions.add(ref, was)
	case status != http.StatusConflict: // the other answer was faster
		u.load.problem(ref, "an answer to its provider was answered %d: %s", status, body)
	}
	return true
}

// mayComeAgain reports whether the ingress asks to send a request again.
func mayComeAgain(status int) bool {
	return status >= http.StatusInternalServerError || status == http.StatusTooManyRequests
}
