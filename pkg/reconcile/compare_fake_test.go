package reconcile_test

import (
	"context"
	"errors"
	"slices"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/reconcile"
)

// Everything happens on one day in Korea, and the statement was read a day later.
var (
	seoul    = time.FixedZone("KST", 9*60*60)
	midnight = time.Date(2026, 11, 20, 0, 0, 0, 0, seoul)
	day      = reconcile.Interval{From: midnight, To: midnight.AddDate(0, 0, 1)}
	noon     = midnight.Add(12 * time.Hour)
	readAt   = midnight.AddDate(0, 0, 2)
)

// written is a log that was written before. It is as slow as memory.
type written struct{ all []events.Record }

// write appends a payment in its state at a time.
func (w *written) write(p payment.Payment, at time.Time) payment.Payment {
	p.UpdatedAt = at.UTC()
	p.Revision++
	w.all = append(w.all, events.Record{Sequence: uint64(len(w.all) + 1), StoredAt: at, Payment: p})
	return p
}

// unreadable writes an event that cannot be read.
func (w *written) unreadable(order string, s payment.Status, at time.Time) {
	p := payment.Payment{Ref: payment.Ref{Provider: acme, Order: order}, Status: s}
	w.all = append(w.all, events.Record{Sequence: uint64(len(w.all) + 1), StoredAt: at, Payment: p, Unreadable: "no JSON"})
}

func (w *written) Last(_ context.Context, ref payment.Ref) (payment.Payment, uint64, error) {
	if err := ref.Validate(); err != nil { // as the log does
		return payment.Payment{}, 0, err
	}
	for _, r := range slices.Backward(w.all) {
		if r.Payment.Ref == ref && r.Unreadable != "" {
			return payment.Payment{}, 0, &events.UnreadableError{Ref: ref, Sequence: r.Sequence, Err: errors.New(r.Unreadable)}
		}
		if r.Payment.Ref == ref {
			return r.Payment, r.Sequence, nil
		}
	}
	return payment.Payment{}, 0, events.ErrNoPayment
}

func (w *written) History(_ context.Context, ref payment.Ref) ([]events.Record, error) {
	return slices.DeleteFunc(slices.Clone(w.all), func(r events.Record) bool { return r.Payment.Ref != ref }), nil
}

func (w *written) SentPayments(_ context.Context, provider string, from, to time.Time, each func(payment.Payment) error) error {
	for _, r := range w.all {
		p := r.Payment
		if p.Provider != provider || p.Status != payment.Submitting && p.Status != payment.Settled || r.StoredAt.Before(from) || !r.StoredAt.Before(to) {
			continue
		}
		if r.Unreadable != "" {
			p = payment.Payment{Ref: p.Ref, UpdatedAt: r.StoredAt.UTC()}
		}
		if err := each(p); err != nil {
			return err
		}
	}
	return nil
}

// ordered is a deposit of 10,000 won that no worker has sent.
func ordered(order string, at time.Time) payment.Payment {
	return payment.Payment{
		Ref: payment.Ref{Provider: acme, Order: order}, Operation: payment.Deposit, Amount: payment.KRW(10000), RequestedAt: at.Add(-time.Second).UTC(),
	}
}

// sent writes that a payment was sent at a time.
func (w *written) sent(p payment.Payment, at time.Time) payment.Payment {
	p.Status, p.SubmittedAt, p.ProviderReference = payment.Submitting, at.UTC(), ""
	p.Attempts++
	return w.write(p, at)
}

// became writes that a payment got a status a minute after it was sent.
func (w *written) became(p payment.Payment, s payment.Status) payment.Payment {
	p.Status = s
	if s != payment.Submitting && s != payment.Parked && s != payment.InDoubt {
		p.ProviderReference = "T-" + p.Order
	}
	if s == payment.Settled || s == payment.Reversed {
		p.SettledAmount = p.Amount
	}
	return w.write(p, p.SubmittedAt.Add(time.Minute))
}

// payment writes the whole life of a payment.
func (w *written) payment(order string, at time.Time, s payment.Status) payment.Payment {
	p := w.sent(ordered(order, at), at)
	if s == payment.Submitting {
		return p
	}
	return w.became(p, s)
}

// entry is a line of the provider's records.
func entry(order string, at time.Time, kind payment.Kind) connectors.StatementLine {
	l := connectors.StatementLine{
		Order: order, Operation: payment.Deposit, CreatedAt: at, CompletedAt: at.Add(30 * time.Second),
		Observation: payment.Observation{Kind: kind, Source: payment.FromStatement, Reference: "T-" + order, Amount: payment.KRW(10000)},
	}
	if kind == payment.Paid {
		l.Observation.SettledAmount = payment.KRW(10000)
	}
	return l
}

func with(l connectors.StatementLine, change func(*connectors.StatementLine)) connectors.StatementLine {
	change(&l)
	return l
}

func rules() reconcile.Rules {
	return reconcile.Rules{Provider: acme, Interval: day, Margin: time.Hour, Grace: 15 * time.Minute, OneReference: true}
}
