package simulation

import (
	"context"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/idempotency"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/pkg/reconcile"
	"payonce/pkg/worker"
)

// Mutant is a mistake that is put around the engine, to see that the oracle finds it. The zero Mutant is
// none.
type Mutant struct {
	Name string
	// Harmless says that the mistake costs speed and nothing else, because the log is the truth.
	Harmless bool

	log              func(*world, worker.Log) worker.Log
	claims           func(idempotency.Store) idempotency.Store
	connector        func(*world, providerPort) connectors.Connector
	verdict          func(*message, queue.Verdict) queue.Verdict
	opening          func(*world, hours) worker.Opening
	timing           func(*worker.Timing)
	timeout          func(*worker.GiveUpPolicy)
	engine           func(reconcile.Engine) reconcile.Engine
	limits           func(*world, *gate) worker.Limits
	unavailable      func(error) bool
	service          func(operator.Log) operator.Log
	forgetTimer      func(name string, s payment.Status) bool
	schedule         func(time.Time) time.Time  // makes whole seconds
	acknowledgeFirst bool                       // when a message is delivered
	dropUnheard      bool                       // a message of whose handler nothing is heard is not delivered again
	loseParked       bool                       // what is parked never comes back
	sendLate         bool                       // a request leaves even when its deadline has passed
	unsettled        func(*connectors.Settling) // what its settling delay lacks
	undated          bool                       // it goes by when an event says that it was written
	fenceFirst       bool                       // the last check is made before the connection
	fence            func(ctx context.Context, check func(context.Context, bool) error, dialed bool) error
	clock            func(t *task, wall time.Time, mono time.Duration) time.Time // what the lease is measured by
	stored           func(*process, queue.Handler) queue.Handler                 // a message shows another time of its storing
	forgetExpiry     bool                                                        // a command is published without its expires_at

	orderTwice         bool // two appends of one order go into one batch
	unheardBatchStored bool // the appends of a batch without an answer are taken for written
	unheardBatchStale  bool // they are taken for refused
	refusedBatchStored bool // the appends of a refused batch are taken for written
}

func (m Mutant) timed(t worker.Timing) worker.Timing {
	if m.timing != nil {
		m.timing(&t)
	}
	return t
}

// settling is the delay that the engine works with.
func (m Mutant) settling() time.Duration {
	least := timing().Settling()
	if m.unsettled != nil {
		m.unsettled(&least)
	}
	return least.Least()
}

func (m Mutant) store(s idempotency.Store) idempotency.Store {
	if m.claims == nil {
		return s
	}
	return m.claims(s)
}

// Mutants returns all mistakes that the oracle is tried on.
func Mutants() []Mutant {
	all := []Mutant{
		{Name: "ack before append", acknowledgeFirst: true},
		{Name: "drop what nobody answered", dropUnheard: true},
		{Name: "lose what is parked", loseParked: true},
		{Name: "send after the deadline", sendLate: true},
		{Name: "acknowledge instead of trying again", verdict: acknowledge(queue.Retry, events.StreamCommands)},
		{Name: "drop a webhook that cannot be processed yet", verdict: acknowledge(queue.Retry, events.StreamWebhooks)},
		{Name: "lose dead letters", verdict: acknowledge(queue.Dead, events.StreamCommands)},
		{Name: "lose what is sent on", verdict: acknowledge(queue.Forward, events.StreamCommands)},
		{Name: "acknowledge instead of parking", verdict: acknowledge(queue.Park, events.StreamCommands)},
	}
	all = append(all, logMutants()...)
	all = append(all, connectorMutants()...)
	all = append(all, hoursMutants()...)
	all = append(all, openMutants()...)
	all = append(all, pageMutants()...)
	all = append(all, evidenceMutants()...)
	all = append(all, submitMutants()...)
	all = append(all, sendingMutants()...)
	return append(all,
		Mutant{Name: "every claim is won", claims: func(s idempotency.Store) idempotency.Store { return openGate{s} }},
		Mutant{Name: "ignore fence", claims: func(s idempotency.Store) idempotency.Store { return noFence{s} }},
		Mutant{Name: "no claim store at all", Harmless: true, claims: func(s idempotency.Store) idempotency.Store { return noGate{s} }},
	)
}

// acknowledge drops the messages of a stream that should go on in a way.
func acknowledge(kind queue.Kind, stream string) func(*message, queue.Verdict) queue.Verdict {
	return func(m *message, v queue.Verdict) queue.Verdict {
		if v.Kind == kind && m.stream == stream {
			return queue.Acknowledge()
		}
		return v
	}
}
