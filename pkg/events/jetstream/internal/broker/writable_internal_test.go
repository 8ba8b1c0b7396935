package broker

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"payonce/pkg/events"
)

// What is learned from publishes and looks, step by step: one lost acknowledgement proves nothing, and each
// stream is known by its own writes.
func TestWritable(t *testing.T) {
	silent, at := context.DeadlineExceeded, time.Unix(1_800_000_000, 0)
	type step struct {
		what     string
		do       func(w *Writes)
		writable bool
	}
	fail := func(stream string, certain bool) func(*Writes) {
		return func(w *Writes) { w.failed(stream, w.begin(), certain, silent, at, "id-1") }
	}
	look := func(now evidence) func(*Writes) {
		return func(w *Writes) {
			if w.looked(events.StreamPayments, now) {
				w.stored(events.StreamPayments)
			}
		}
	}
	stored := func(w *Writes) { w.stored(events.StreamPayments) }
	twice := func(w *Writes) { fail(events.StreamPayments, false)(w); fail(events.StreamPayments, false)(w) }
	for name, steps := range map[string][]step{
		"one lost acknowledgement": {{"lost", fail(events.StreamPayments, false), true}},
		"many at once": {{"three that were begun together", func(w *Writes) {
			a, b, c := w.begin(), w.begin(), w.begin()
			for _, publish := range []uint64{b, a, c} {
				w.failed(events.StreamPayments, publish, false, silent, at, "id-1")
			}
		}, true}, {"one more", fail(events.StreamPayments, false), false}, {"one that is stored", stored, true}},
		"success between":     {{"lost", fail(events.StreamPayments, false), true}, {"stored", stored, true}, {"lost", fail(events.StreamPayments, false), true}},
		"the broker says so":  {{"said", fail(events.StreamPayments, true), false}},
		"another stream":      {{"two of COMMANDS", func(w *Writes) { fail(events.StreamCommands, true)(w) }, true}},
		"nothing changes":     {{"lost twice", twice, false}, {"a look", look(evidence{server: "id-1", leader: "a", last: 7}), false}, {"the same", look(evidence{server: "id-1", leader: "a", last: 7}), false}},
		"another writes":      {{"lost twice", twice, false}, {"a look", look(evidence{leader: "a", last: 7}), false}, {"one more message", look(evidence{leader: "a", last: 8}), true}},
		"another leads":       {{"lost twice", twice, false}, {"a look", look(evidence{leader: "a", last: 7}), false}, {"another leader", look(evidence{leader: "b", last: 7}), true}},
		"restarted":           {{"lost twice", twice, false}, {"a look", look(evidence{server: "id-2", leader: "a", last: 7}), true}},
		"fails after restart": {{"lost twice", twice, false}, {"a look", look(evidence{server: "id-2"}), true}, {"lost twice", twice, false}},
	} {
		t.Run(name, func(t *testing.T) {
			w := &Writes{streams: map[string]*failure{}}
			for _, s := range steps {
				s.do(w)
				err := w.Err()
				if writable := err == nil || !strings.Contains(err.Error(), events.StreamPayments); writable != s.writable {
					t.Errorf("after %s: %v, want writable %t", s.what, err, s.writable)
				}
				if !errors.Is(err, silent) && err != nil {
					t.Errorf("after %s: the cause is Lost: %v", s.what, err)
				}
			}
		})
	}
}

func TestStreamOf(t *testing.T) {
	for subject, want := range map[string]string{
		"payment.settled.acme.D-1": events.StreamPayments, "webhook.received.acme.D-1": events.StreamWebhooks,
		"webhook.waiting.acme.D-1.0": events.StreamWebhooks, "deadletter.commands.acme": events.StreamDeadLetters,
		"operator.release.acme.D-1": events.StreamAudit, "deposit.requested.acme.D-1": events.StreamCommands,
		"parked.acme.D-1": events.StreamCommands, "probe.commands": events.StreamCommands, "probe.webhooks": events.StreamWebhooks,
	} {
		if have := streamOf(subject); have != want {
			t.Errorf("%s: %s, want %s", subject, have, want)
		}
	}
}
