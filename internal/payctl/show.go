package payctl

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"payonce/pkg/config"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
)

func paymentCommand(env Env) *cobra.Command {
	parent := group("payment", "Show, resolve or retry one payment", "  payctl payment show ecommpay-kr P-1001")
	c := &cobra.Command{
		Use:   "show PROVIDER ORDER|REFERENCE",
		Short: "Show a payment and its history",
		Long: `Show a payment and its history: one line for each event of the log, with the time in UTC, the provider's local time and
the time since the previous event.

An order without events is looked for in the queue, then among the provider's references, in the archive or, without one,
in the newest events of the log. A payment that the log has forgotten is shown from the archive. Dead letters of the order
are listed. It exits with 1 if the order is not found.

The payment page or account that the customer got is personal data: --unmask shows it and writes an audit record.`,
		Example: `  payctl payment show ecommpay-kr P-1001
  payctl payment show ecommpay-kr P-1001 --unmask --by kim --reason "the customer lost the link, ticket 4711"
  payctl payment show ecommpay-kr P-1001 --json --config /etc/payonce/payonce.yaml`,
		Args: arguments("PROVIDER", "ORDER|REFERENCE"),
	}
	h, asJSON := addActionFlags(c), addJSON(c)
	for _, name := range []string{"yes", "dry-run"} {
		_ = c.Flags().MarkHidden(name)
	}
	unmask := c.Flags().Bool("unmask", false, "show the payment page or account that the customer got; requires --by and --reason")
	c.RunE = func(c *cobra.Command, args []string) error {
		ref := payment.Ref{Provider: args[0], Order: args[1]}
		if !payment.ValidProvider(ref.Provider) || args[1] == "" {
			return usageError{ref.Validate()}
		}
		var who *operator.Person
		if *unmask {
			person, err := h.person()
			if err != nil {
				return err
			}
			who = &person
		}
		cfg, err := load(*h.config)
		if err != nil {
			return err
		}
		s, err := env.show(c.Context(), cfg, ref, who)
		if err != nil {
			return err
		}
		return s.write(c.OutOrStdout(), *asJSON)
	}
	parent.AddCommand(c, resolveCommand(env), retryCommand(env))
	return parent
}

// place says where the command of an order is.
type place string

// The places.
const (
	inQueue place = "queued" // waits, or is in work
	parked  place = "parked" // held by the broker until a time
	nowhere place = "none"   // has left the queue
)

// timeline is a payment and how it came to its status.
type timeline struct {
	payment.Ref
	Payment payment.Payment `json:"payment"`
	Command place           `json:"command"`
	// Next is what a person does about it, in words that may change.
	Next string `json:"next"`
	// Due is when the command that is parked comes back: a payment in doubt is then looked up.
	Due time.Time `json:"due,omitzero"`
	// QueuedAt is when the command that is queued or parked was stored.
	QueuedAt time.Time `json:"queued_at,omitzero"`
	Events   []event   `json:"events"`
	// Unreadable are the events at the end of Events that cannot be read, by their sequences. Payment is then as it stood before
	// them, and nothing is done about it until a person steps over them.
	Unreadable []uint64 `json:"unreadable,omitempty"`
	// DeadLetters are those about the order, oldest first.
	DeadLetters []deadLetterLine `json:"dead_letters,omitempty"`
}

// event is one event of the log, in the form of the HTTP border's timeline.
type event struct {
	Sequence uint64          `json:"sequence"`
	ID       string          `json:"id"`
	StoredAt time.Time       `json:"stored_at"`
	Payment  payment.Payment `json:"payment"`
	// Unreadable says why the event cannot be read; of its payment only the name and what the subject says is known then.
	Unreadable string `json:"unreadable,omitempty"`
	// Trace is the id of the trace in which it was written.
	Trace string `json:"trace,omitempty"`
}

func (e Env) show(ctx context.Context, cfg config.Config, ref payment.Ref, unmask *operator.Person) (timeline, error) {
	conn, err := e.connect(ctx, cfg)
	if err != nil {
		return timeline{}, err
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(ctx, e.Timeout)
	defer cancel()
	s, err := timeline{}, events.ErrNoPayment
	if ref.Validate() == nil {
		s, err = tell(ctx, conn, ref)
	}
	if errors.Is(err, events.ErrNoPayment) {
		if found, has, lookErr := e.elsewhere(ctx, cfg, conn, ref); lookErr != nil {
			return timeline{}, lookErr
		} else if has {
			s, err, ref = found, nil, found.Ref
		}
	}
	if ref.Validate() != nil {
		return timeline{}, fmt.Errorf("no payment of %s with this order or reference is known", ref.Provider)
	}
	if err != nil && !errors.Is(err, events.ErrNoPayment) {
		return timeline{}, err
	}
	if err == nil && unmask != nil {
		if err := e.unmask(ctx, conn, &s, *unmask); err != nil {
			return timeline{}, err
		}
	}
	deadLetters, deadLettersErr := conn.DeadLettersOf(ctx, ref)
	if deadLettersErr != nil {
		return timeline{}, deadLettersErr
	}
	if s.DeadLetters = linesOf(deadLetters); err != nil && len(deadLetters) > 0 {
		s.Next, err = s.DeadLetters[len(deadLetters)-1].Next, nil
	}
	return s, unknownTo(cfg, ref, err)
}

// unknownTo says more than that the log does not know an order: where it may lie, and that its provider is none of ours.
func unknownTo(cfg config.Config, ref payment.Ref, err error) error {
	if bad, is := events.Unreadable(err); is {
		return fmt.Errorf("%w\nNext: %s", err, bad.Next())
	}
	if !errors.Is(err, events.ErrNoPayment) {
		return err
	}
	hint := ""
	if _, known := cfg.Providers[ref.Provider]; !known {
		hint = fmt.Sprintf("; provider %q is not configured; configured: %s", ref.Provider, providers(cfg))
	}
	return fmt.Errorf("%s not found: it has no event in the log and no command in the queue; "+
		"for a command without an order number see payctl deadletters list --provider %s%s", ref, events.NoProvider, hint)
}

// tell reads the log, and the queue where that can say more. The error is events.ErrNoPayment when neither
// knows the order.
func tell(ctx context.Context, conn *admin.Conn, ref payment.Ref) (timeline, error) {
	s := timeline{Ref: ref, Command: nowhere, Events: []event{}}
	records, err := conn.History(ctx, ref)
	if err != nil && !errors.Is(err, events.ErrNoPayment) {
		return timeline{}, err
	}
	if queued, err := conn.QueuedCommand(ctx, ref); err == nil {
		s.Command, s.QueuedAt = placeOf(queued), queued.StoredAt
		if len(records) == 0 {
			s.Payment = asQueued(queued, ref)
			s.Next = operator.Next(s.Payment)
			return s, nil
		}
		if s.Command == parked {
			s.Due, err = due(ctx, conn, ref)
			if err != nil {
				return timeline{}, err
			}
		}
	} else if !errors.Is(err, events.ErrNotQueued) {
		return timeline{}, err
	}
	if len(records) == 0 {
		// A worker may have begun between the two looks: it writes to the log before it leaves the queue.
		if records, err = conn.History(ctx, ref); err != nil {
			s.Payment.Ref = ref
			return s, err
		}
	}
	for _, record := range records {
		record.Payment = hideActions(record.Payment)
		s.Events = append(s.Events, event(record))
	}
	if s.Payment, _ = events.Unskipped(records); s.Payment.Action != nil {
		if s.Payment, err = readQuestion(ctx, conn, s.Payment); err != nil {
			return timeline{}, err
		}
	}
	s.Payment = hideActions(s.Payment)
	s.Next = operator.Next(s.Payment)
	if s.Command == nowhere {
		s.Next = operator.NextWithoutCommand(s.Payment)
	}
	for _, record := range records {
		if s.Unreadable = append(s.Unreadable, record.Sequence); record.Unreadable == "" {
			s.Unreadable = nil
		}
	}
	if n := len(s.Unreadable); n > 0 {
		s.Payment.Ref = ref
		s.Next = (&events.UnreadableError{Ref: ref, Sequence: s.Unreadable[n-1]}).Next()
	}
	return s, nil
}

// due is when a parked command comes back; zero when it has just come.
func due(ctx context.Context, conn *admin.Conn, ref payment.Ref) (time.Time, error) {
	held, err := conn.ParkedCommand(ctx, ref)
	if errors.Is(err, events.ErrNotParked) {
		return time.Time{}, nil
	}
	return held.Due, err
}

func placeOf(m events.Message) place {
	if _, waits := events.SubjectOperation(m.Subject); waits {
		return inQueue
	}
	return parked
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
