package operator_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/operator"
)

// An action that stops says how much is left, and events that are sent again from when on: all before were sent.
func TestUnfinishedActions(t *testing.T) {
	log := make([]events.Message, 1200)
	for i := range log {
		log[i] = events.Message{Subject: "payment.settled.acme.P-1", Sequence: uint64(i + 1), StoredAt: begin.Add(time.Duration(i) * time.Minute)}
	}
	_, service := at(t, intend)
	for name, test := range map[string]struct {
		stopsAt uint64 // 0 where the action is interrupted in its first part
		full    []int
		text    string
		from    uint64 // 0 for the first that was not sent
		sent    int
	}{
		"interrupted":            {0, nil, "interrupted, 700 left", 501, 500},
		"an event fails":         {705, nil, "left: no answer", 0, 0},
		"no record is begun":     {9999, []int{2}, "stopped, 700 left: nothing was done", 501, 500},
		"no record of the start": {9999, []int{0}, "stopped, 1200 left: nothing was done", 1, 0},
	} {
		ctx, stop := context.WithCancel(t.Context())
		to := &stopping{at: test.stopsAt, stop: stop, sent: map[uint64]bool{}}
		_, err := actions(service, &trail{full: test.full}).SendAgain(ctx, to, operator.ResendOf("shop", operator.EventFilter{}, log), kim)
		stop()
		var unfinished *operator.UnfinishedError
		if !errors.As(err, &unfinished) || !strings.Contains(err.Error(), test.text) {
			t.Fatalf("%s: %v", name, err)
		}
		for test.from == 0 || to.sent[test.from] {
			test.from++
		}
		if want := log[test.from-1].StoredAt; !unfinished.From.Equal(want) || test.stopsAt != 705 && len(to.sent) != test.sent {
			t.Errorf("%s: %d sent, from %s, want %s", name, len(to.sent), unfinished.From, want)
		}
		if test.stopsAt == 705 && (unfinished.Left != 1200-len(to.sent) || test.from <= 500) {
			t.Errorf("%s: %d sent, %d left from %d on", name, len(to.sent), unfinished.Left, test.from)
		}
	}
	// What came to its end has nothing left, also without its last record.
	_, err := actions(service, &trail{full: []int{1}}).SendAgain(t.Context(), &stopping{at: 9999, sent: map[uint64]bool{}}, operator.ResendOf("shop", operator.EventFilter{}, log[:1]), kim)
	if unfinished := new(operator.UnfinishedError); !errors.Is(err, errFull) || errors.As(err, &unfinished) {
		t.Error(err)
	}
}

// stopping is an endpoint whose events are sent until one of them cannot be, or a person interrupts it.
type stopping struct {
	at   uint64
	stop func()
	mu   sync.Mutex
	sent map[uint64]bool
}

func (s *stopping) SendAgain(_ context.Context, _, _ string, m events.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.at {
	case m.Sequence:
		return errors.New("no answer")
	case 0:
		s.stop()
	}
	s.sent[m.Sequence] = true
	return nil
}
