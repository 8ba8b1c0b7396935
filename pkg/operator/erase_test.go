package operator_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"

	"payonce/pkg/events"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
)

// shelf is what is kept beside the log.
type shelf struct {
	kept   []events.Personal
	asked  payment.Payment
	breaks bool
}

func (s *shelf) PersonalData(_ context.Context, p payment.Payment) ([]events.Personal, error) {
	s.asked = p
	return slices.Clone(s.kept), nil
}

func (s *shelf) Erase(_ context.Context, m events.Personal) error {
	if s.breaks {
		return errors.New("the stream is away")
	}
	s.kept = slices.DeleteFunc(s.kept, func(k events.Personal) bool { return k == m })
	return nil
}

// Nothing is erased of a payment that is open or that a person has to decide about.
func TestEraseOnlyWhatHasEnded(t *testing.T) {
	for _, status := range payment.Statuses() {
		if status == payment.Requested {
			continue
		}
		w, service := at(t)
		w.p, w.seq = payment.Payment{Ref: ref, Operation: payment.Deposit, Status: status, Fingerprint: "f"}, 1
		s := &shelf{kept: []events.Personal{{Stream: events.StreamActions, Sequence: 1}, {Stream: events.StreamWebhooks, Sequence: 2, Needed: "not judged"}}}
		p, erased, left, err := service.Erase(t.Context(), s, ref)
		if !slices.Contains([]payment.Status{payment.Settled, payment.Failed, payment.Reversed}, status) {
			if !errors.Is(err, operator.ErrNotNow) || len(s.kept) != 2 || len(erased) > 0 {
				t.Errorf("%s: %v, %v", status, erased, err)
			}
			continue
		}
		if err != nil || p.Status != status || len(erased) != 1 || len(left) != 1 || len(s.kept) != 1 || s.kept[0].Needed == "" || s.asked.Fingerprint != "f" {
			t.Errorf("%s: erased %v, left %v, kept %v, %v", status, erased, left, s.kept, err)
		}
	}
}

func TestEraseOfAnUnknownOrder(t *testing.T) {
	_, service := at(t)
	s := &shelf{kept: []events.Personal{{Stream: events.StreamDeadLetters, Sequence: 1}}}
	if _, erased, _, err := service.Erase(t.Context(), s, ref); err != nil || len(erased) != 1 || !reflect.DeepEqual(s.asked, payment.Payment{Ref: ref}) {
		t.Errorf("%v, %v", erased, err)
	}
}

// What could not be erased is reported.
func TestEraseThatBreaks(t *testing.T) {
	_, service := at(t)
	s := &shelf{kept: []events.Personal{{Stream: events.StreamActions, Sequence: 1}}, breaks: true}
	if _, erased, left, err := service.Erase(t.Context(), s, ref); err == nil || len(erased) != 0 || len(left) != 1 {
		t.Errorf("%v, %v, %v", erased, left, err)
	}
}
