package worker

import (
	"time"

	"payonce/pkg/events"
	"payonce/pkg/queue"
)

// unreadablePause is how long the broker holds a message whose payment has a last event that cannot be read. A person who
// steps over that event (payctl log skip) releases the payment's command at once.
const unreadablePause = 30 * time.Second

// unreadable says what becomes of a message whose payment cannot be read from the log: the broker holds it, nothing is
// written and nothing is called, because what the event says can be anything. The log has said it to a person.
func (w *Worker) unreadable(err error) (v queue.Verdict, bad bool) {
	if !isUnreadable(err) {
		return queue.Verdict{}, false
	}
	return queue.ParkUntil(w.Now().Add(unreadablePause)), true
}

func isUnreadable(err error) bool {
	_, is := events.Unreadable(err)
	return is
}
