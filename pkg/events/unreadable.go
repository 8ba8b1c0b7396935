package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"payonce/pkg/payment"
)

// UnreadableError says that an event of the log cannot be read: it isn't the JSON of a payment, or it is another payment's
// or in another status than its subject says. The payment may not be guessed from the events before it. A person steps over
// the event with payctl log skip.
type UnreadableError struct {
	Ref      payment.Ref
	Sequence uint64 // of the event in PAYMENTS
	// Err is why. It can hold parts of the event.
	Err error
}

// Error names the event and leaves out what is written in it.
func (e *UnreadableError) Error() string {
	return fmt.Sprintf("event %d of the log, of %s, cannot be read: %s", e.Sequence, e.Ref, e.Problem())
}

// Unwrap returns why.
func (e *UnreadableError) Unwrap() error { return e.Err }

// Problem says why, without what is written in the event.
func (e *UnreadableError) Problem() string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	var at *time.ParseError
	var other *unlikeSubject
	switch {
	case errors.As(e.Err, &syntax):
		return "it is not JSON"
	case errors.As(e.Err, &kind):
		return "its field " + kind.Field + " is of another type"
	case errors.As(e.Err, &at):
		return "a time in it is not valid"
	case errors.As(e.Err, &other):
		return other.Error()
	}
	return "it is not the event of a payment"
}

// Next is what a person does.
func (e *UnreadableError) Next() string {
	return fmt.Sprintf("read it with payctl payment show %s %s; then payctl log skip %s %s --sequence %d --reason TEXT",
		e.Ref.Provider, e.Ref.Order, e.Ref.Provider, e.Ref.Order, e.Sequence)
}

// Unreadable returns the unreadable event that err is about.
func Unreadable(err error) (*UnreadableError, bool) {
	if err == nil { // it is asked for every message
		return nil, false
	}
	var bad *UnreadableError
	ok := errors.As(err, &bad)
	return bad, ok
}

// unlikeSubject says that an event isn't what its subject says.
type unlikeSubject struct{ what string }

func (e *unlikeSubject) Error() string {
	return "it is of another " + e.what + " than its subject says"
}

// ReadPayment reads an event of the log under its subject, which must name the payment and its status. The error is an
// [UnreadableError].
func ReadPayment(subject string, sequence uint64, data []byte) (payment.Payment, error) {
	ref, _ := SubjectRef(subject)
	p, err := DecodePayment(data)
	switch status, _ := SubjectStatus(subject); {
	case err != nil:
	case p.Ref != ref:
		err = &unlikeSubject{"payment"}
	case p.Status != status:
		err = &unlikeSubject{"status"}
	}
	if err != nil {
		return payment.Payment{}, &UnreadableError{Ref: ref, Sequence: sequence, Err: err}
	}
	return p, nil
}

// Unskipped returns how a payment was before the events at the end of its history that cannot be read, and those events. The
// payment is [payment.Requested], with nothing but its name, where none before them can be read.
func Unskipped(records []Record) (payment.Payment, []payment.Skipped) {
	var skipped []payment.Skipped
	before := payment.Payment{Status: payment.Requested}
	for i := len(records) - 1; i >= 0; i-- {
		r := records[i]
		if r.Unreadable == "" {
			before = r.Payment
			break
		}
		before.Ref = r.Payment.Ref
		skipped = append(skipped, payment.Skipped{Status: r.Payment.Status, At: r.StoredAt})
	}
	slices.Reverse(skipped)
	return before, skipped
}
