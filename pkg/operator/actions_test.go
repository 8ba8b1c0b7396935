package operator_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
)

// trail keeps audit records in memory, and refuses those whose number is in full.
type trail struct {
	records []events.AuditRecord
	full    []int
	before  func(events.AuditRecord)
}

var errFull = errors.New("AUDIT is full")

func (a *trail) Audit(ctx context.Context, r events.AuditRecord) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if a.before != nil {
		a.before(r)
	}
	if slices.Contains(a.full, len(a.records)) {
		return errFull
	}
	r.Items = slices.Clone(r.Items)
	a.records = append(a.records, r)
	return nil
}

func actions(s operator.Service, a operator.Audit) operator.Actions {
	n := 0
	return operator.Actions{Service: s, Audit: a, NewID: func() string { n++; return fmt.Sprint("id-", n) }, Timeout: time.Minute}
}

// Every action writes what is intended before anything happens, and afterwards what came of it, under the same id.
func TestAnActionStandsBetweenItsRecords(t *testing.T) {
	batchOf := func() operator.Batch {
		return operator.Batch{Provider: ref.Provider, Who: kim, Items: []events.AuditItem{{Order: ref.Order}}}
	}
	for name, test := range map[string]struct {
		steps  []payment.Observation
		act    func(ctx context.Context, a operator.Actions, w *world) error
		result string
	}{
		"release": {[]payment.Observation{park}, func(ctx context.Context, a operator.Actions, _ *world) error {
			_, err := a.Release(ctx, batchOf(), map[string]time.Time{ref.Order: begin})
			return err
		}, operator.Released},
		"cancel": {[]payment.Observation{park}, func(ctx context.Context, a operator.Actions, _ *world) error {
			_, err := a.Cancel(ctx, batchOf())
			return err
		}, operator.Cancelled},
		"settle": {[]payment.Observation{intend, indeterminate}, func(ctx context.Context, a operator.Actions, w *world) error {
			return a.Resolve(ctx, w.p, w.seq, kim, operator.Decision{Settled: true})
		}, operator.Resolved},
	} {
		t.Run(name, func(t *testing.T) {
			w, service := at(t, test.steps...)
			before := w.seq
			audit := &trail{before: func(r events.AuditRecord) {
				if moved := w.seq != before; moved != (r.Stage == events.Finished) {
					t.Errorf("%s: the payment moved: %v", r.Stage, moved)
				}
			}}
			if err := test.act(t.Context(), actions(service, audit), w); err != nil || len(audit.records) != 2 {
				t.Fatalf("%v: %+v", err, audit.records)
			}
			intended, finished := audit.records[0], audit.records[1]
			if intended.ID != finished.ID || string(intended.Action) != name || intended.By != "kim" || intended.Reason != kim.Why ||
				intended.Order != ref.Order || intended.Items[0].Result != "" || finished.Items[0].Result != test.result {
				t.Errorf("%+v\n%+v", intended, finished)
			}

			// Without the first record nothing happens.
			w, service = at(t, test.steps...)
			before = w.seq
			err := test.act(t.Context(), actions(service, &trail{full: []int{0}}), w)
			if !errors.Is(err, errFull) || w.seq != before || len(w.released) > 0 {
				t.Errorf("%v, written %v, released %v", err, w.seq != before, w.released)
			}
		})
	}
}

// An action that is refused is finished too, and who gives no reason begins none.
func TestARefusedActionIsFinished(t *testing.T) {
	w, service := at(t, intend, indeterminate)
	audit := &trail{}
	a := actions(service, audit)
	if err := a.Resolve(t.Context(), w.p, w.seq-1, kim, operator.Decision{}); !errors.Is(err, events.ErrStale) {
		t.Errorf("a payment that moved on: %v", err)
	}
	if err := a.Retry(t.Context(), w.p, w.seq, kim); !errors.Is(err, operator.ErrNotNow) {
		t.Errorf("a payment that was not refused: %v", err)
	}
	if len(audit.records) != 4 {
		t.Fatalf("%+v", audit.records)
	}
	for _, r := range []events.AuditRecord{audit.records[1], audit.records[3]} {
		if item := r.Items[0]; r.Stage != events.Finished || !strings.HasPrefix(item.Result, "not done: ") || item.After != payment.InDoubt {
			t.Errorf("%+v", r)
		}
	}
	if err := a.Resolve(t.Context(), w.p, w.seq, operator.Person{Name: "kim"}, operator.Decision{}); err == nil || len(audit.records) != 4 {
		t.Errorf("without a reason: %v, %d records", err, len(audit.records))
	}
}

// Without the first record no payout of a file is sent. What was sent is recorded, also when the person interrupts it.
func TestImportIsRecorded(t *testing.T) {
	_, service := at(t)
	file := operator.PayoutFile{Provider: ref.Provider, File: events.AuditFile{Name: "a.csv", Payouts: 2}, Total: payment.KRW(20000)}
	file.Send = func(context.Context) (map[string]int, error) { t.Error("sent"); return nil, nil }
	if err := actions(service, &trail{full: []int{0}}).Import(t.Context(), file, kim); !errors.Is(err, errFull) {
		t.Error(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	audit := &trail{}
	file.Send = func(context.Context) (map[string]int, error) {
		stop()
		return map[string]int{"new": 1, "unsent": 1}, context.Canceled
	}
	if err := actions(service, audit).Import(ctx, file, kim); !errors.Is(err, context.Canceled) || len(audit.records) != 2 {
		t.Fatalf("%v: %+v", err, audit.records)
	}
	intended, finished := audit.records[0], audit.records[1]
	if intended.File.Results != nil || finished.File.Results["unsent"] != 1 || finished.Stage != events.Finished || finished.ID != intended.ID {
		t.Errorf("%+v, %+v", intended.File, finished.File)
	}
}
