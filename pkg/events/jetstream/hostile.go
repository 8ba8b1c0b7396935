package jetstream

import (
	"maps"
	"slices"
	"strings"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
)

// orders are the headers, or their beginnings in lower case, by which a sender has the broker remove, hold back, forge or
// forget messages.
var orders = []string{"nats-rollup", "nats-schedule", "nats-ttl", "nats-incr", "nats-batch-"}

// hostileHeader returns the name of a header of a command or a webhook that orders the broker about, or "". Upstreams and
// the ingress publish into streams that refuse such headers, so the sender of one is where only our programs may be.
// What it ordered has happened or not; the message itself is not obeyed.
//
// A message that the broker held until a time says so in two headers. They are right where the broker held it in the place
// in which a worker parks this very message.
func hostileHeader(d *delivery) string {
	if d.Stream == events.StreamPayments {
		return ""
	}
	held := heldByUs(d)
	for _, name := range slices.Sorted(maps.Keys(d.Message.Header)) {
		lower := strings.ToLower(name)
		if !slices.ContainsFunc(orders, func(order string) bool { return strings.HasPrefix(lower, order) }) {
			continue
		}
		if held && (name == njs.SchedulerHeader || name == scheduleNextHeader) {
			continue
		}
		return name
	}
	return ""
}

const (
	scheduleNextHeader = "Nats-Schedule-Next"
	scheduleDone       = "purge" // the schedule fired once and is gone
)

func heldByUs(d *delivery) bool {
	subject, ok := parkingSubject(d)
	return ok && slices.Equal(d.Message.Header[njs.SchedulerHeader], []string{subject}) &&
		slices.Equal(d.Message.Header[scheduleNextHeader], []string{scheduleDone})
}
