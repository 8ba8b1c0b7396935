package operator

import (
	"context"
	"errors"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// Reader reads what is known of a payment.
type Reader interface {
	// History returns the events of a payment, oldest first, or events.ErrNoPayment.
	History(ctx context.Context, ref payment.Ref) ([]events.Record, error)
	// Actions completes what the customer must do, as far as it is kept.
	Actions(ctx context.Context, p payment.Payment) (payment.Payment, error)
	// DeadLettersOf returns the dead letters about an order, oldest first.
	DeadLettersOf(ctx context.Context, ref payment.Ref) ([]events.DeadLetter, error)
}

// Commands says where the command of an order is.
type Commands interface {
	// QueuedCommand is that of [Queue].
	QueuedCommand(ctx context.Context, ref payment.Ref) (events.Message, error)
	// ParkedCommand returns the parked command of an order, or events.ErrNotParked.
	ParkedCommand(ctx context.Context, ref payment.Ref) (events.Parked, error)
}

// CommandState says where the command of an order is.
type CommandState string

// The states.
const (
	CommandQueued CommandState = "queued" // waits, or is in work
	CommandParked CommandState = "parked" // held by the broker until a time
	CommandNone   CommandState = "none"   // has left the queue
)

// CommandStateOf says where a command is that [Queue.QueuedCommand] returned.
func CommandStateOf(m events.Message) CommandState {
	if _, waits := events.SubjectOperation(m.Subject); waits {
		return CommandQueued
	}
	return CommandParked
}

// Timeline is a payment and how it came to stand as it does. Nothing in it is personal: of what the customer must do it has
// only the type, and the fields that a provider asks for.
type Timeline struct {
	payment.Ref
	Payment payment.Payment `json:"payment"`
	Command CommandState    `json:"command"`
	// Next is what a person does about it, in words that may change.
	Next string `json:"next"`
	// Due is when the command that is parked comes back: a payment in doubt is then looked up.
	Due time.Time `json:"due,omitzero"`
	// QueuedAt is when the command that is queued or parked was stored.
	QueuedAt time.Time       `json:"queued_at,omitzero"`
	Events   []TimelineEvent `json:"events"`
	// Unreadable are the events at the end of Events that cannot be read, by their sequences. Payment is then as it stood before
	// them, and nothing is done about it until a person steps over them.
	Unreadable []uint64 `json:"unreadable,omitempty"`
	// DeadLetters are those about the order, oldest first; [ReadHistory] leaves them out.
	DeadLetters []DeadLetter `json:"dead_letters,omitempty"`
	// Refusals are what upstreams were told of refused commands of the order, oldest first; [ReadHistory] leaves them out. They stay when
	// their dead letters were dropped.
	Refusals []events.Refusal `json:"refusals,omitempty"`
}

// TimelineEvent is one event of the log, in the form of the HTTP border's timeline.
type TimelineEvent struct {
	Sequence uint64          `json:"sequence"`
	ID       string          `json:"id"`
	StoredAt time.Time       `json:"stored_at"`
	Payment  payment.Payment `json:"payment"`
	// Unreadable says why the event cannot be read; of its payment only the name and what the subject says is known then.
	Unreadable string `json:"unreadable,omitempty"`
	// Trace is the id of the trace in which it was written.
	Trace string `json:"trace,omitempty"`
}

// ReadTimeline is [ReadHistory] with the order's dead letters. An order that only they know is no error.
func ReadTimeline(ctx context.Context, log Reader, queue Commands, ref payment.Ref) (Timeline, error) {
	s, err := ReadHistory(ctx, log, queue, ref)
	return WithDeadLetters(ctx, log, s, err)
}

// WithDeadLetters adds the order's dead letters to what [ReadHistory] returned for s.Ref. An order that only they know is no error.
func WithDeadLetters(ctx context.Context, log Reader, s Timeline, err error) (Timeline, error) {
	if err != nil && !errors.Is(err, events.ErrNoPayment) {
		return Timeline{}, err
	}
	deadLetters, deadLettersErr := log.DeadLettersOf(ctx, s.Ref)
	if deadLettersErr != nil {
		return Timeline{}, deadLettersErr
	}
	if s.DeadLetters = DeadLettersOf(deadLetters); err != nil && len(deadLetters) > 0 {
		s.Next, err = s.DeadLetters[len(deadLetters)-1].Next, nil
	}
	return s, err
}

// ReadHistory reads the log, and the queue where that can say more. The error is events.ErrNoPayment when neither
// knows the order.
func ReadHistory(ctx context.Context, log Reader, queue Commands, ref payment.Ref) (Timeline, error) {
	s := Timeline{Ref: ref, Command: CommandNone, Events: []TimelineEvent{}}
	records, err := log.History(ctx, ref)
	if err != nil && !errors.Is(err, events.ErrNoPayment) {
		return Timeline{}, err
	}
	if queued, err := queue.QueuedCommand(ctx, ref); err == nil {
		s.Command, s.QueuedAt = CommandStateOf(queued), queued.StoredAt
		if len(records) == 0 {
			s.Payment = asQueued(queued, ref)
			s.Next = Next(s.Payment)
			return s, nil
		}
		if s.Command == CommandParked {
			s.Due, err = due(ctx, queue, ref)
			if err != nil {
				return Timeline{}, err
			}
		}
	} else if !errors.Is(err, events.ErrNotQueued) {
		return Timeline{}, err
	}
	if len(records) == 0 {
		// A worker may have begun between the two looks: it writes to the log before it leaves the queue.
		if records, err = log.History(ctx, ref); err != nil {
			s.Payment.Ref = ref
			return s, err
		}
	}
	if err := s.tell(ctx, log, records); err != nil {
		return Timeline{}, err
	}
	return s, nil
}

// Forgotten is the timeline of a payment that the log has forgotten, from the events that the archive has of it.
func Forgotten(ref payment.Ref, records []events.Record) Timeline {
	s := Timeline{Ref: ref, Command: CommandNone, Events: []TimelineEvent{}, Next: "nothing: the log has forgotten this payment, and the archive has it"}
	for _, record := range records {
		record.Payment = HideActions(record.Payment)
		s.Events = append(s.Events, TimelineEvent(record))
	}
	s.Payment, _ = events.Unskipped(records)
	s.Payment = HideActions(s.Payment)
	s.Payment.Ref = ref
	return s
}

// tell completes a timeline from the events.
func (s *Timeline) tell(ctx context.Context, log Reader, records []events.Record) (err error) {
	for _, record := range records {
		record.Payment = HideActions(record.Payment)
		s.Events = append(s.Events, TimelineEvent(record))
	}
	s.Payment, _ = events.Unskipped(records)
	if a := s.Payment.Action; a != nil && a.Type == payment.ActionClarification { // it names fields and no person
		if s.Payment, err = log.Actions(ctx, s.Payment); err != nil {
			return err
		}
	}
	s.Payment = HideActions(s.Payment)
	s.Next = Next(s.Payment)
	if s.Command == CommandNone {
		s.Next = NextWithoutCommand(s.Payment)
	}
	for _, record := range records {
		if s.Unreadable = append(s.Unreadable, record.Sequence); record.Unreadable == "" {
			s.Unreadable = nil
		}
	}
	if n := len(s.Unreadable); n > 0 {
		s.Payment.Ref = s.Ref
		s.Next = (&events.UnreadableError{Ref: s.Ref, Sequence: s.Unreadable[n-1]}).Next()
	}
	return nil
}

// due is when a parked command comes back; zero when it has just come.
func due(ctx context.Context, queue Commands, ref payment.Ref) (time.Time, error) {
	held, err := queue.ParkedCommand(ctx, ref)
	if errors.Is(err, events.ErrNotParked) {
		return time.Time{}, nil
	}
	return held.Due, err
}

// asQueued is the payment of a command that no worker has begun. Of one that cannot be read only the name is
// known; it will become a dead letter.
func asQueued(m events.Message, ref payment.Ref) payment.Payment {
	cmd, err := events.DecodeCommand(m)
	if err != nil {
		return payment.Payment{Ref: ref, Status: payment.Requested, Reason: &payment.Reason{Code: payment.ReasonInvalid}}
	}
	return payment.New(cmd)
}

// HideActions leaves of what a customer must do only its type, and the fields that a provider asks for. Links and account
// holders are personal.
func HideActions(p payment.Payment) payment.Payment {
	for _, action := range []**payment.Action{&p.Action, &p.WithheldAction} {
		if a := *action; a != nil && a.Type != payment.ActionClarification {
			*action = &payment.Action{Type: a.Type, Stored: a.Stored}
		}
	}
	return p
}

// Reveal completes a timeline with what the customer must do, as far as it is kept. Who looks, and why, is in AUDIT then.
func (a Actions) Reveal(ctx context.Context, log Reader, s *Timeline, who Person) error {
	item := events.AuditItem{Order: s.Order, Upstream: s.Payment.Upstream, Before: s.Payment.Status}
	return a.Unmask(ctx, s.Provider, item, who, func(ctx context.Context) error {
		records, err := log.History(ctx, s.Ref)
		if err != nil {
			return err
		}
		p, _ := events.Unskipped(records)
		if p, err = log.Actions(ctx, p); err != nil {
			return err
		}
		s.Payment.Action, s.Payment.WithheldAction = p.Action, p.WithheldAction
		return nil
	})
}
