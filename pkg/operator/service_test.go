package operator_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
)

var (
	begin = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	ref   = payment.Ref{Provider: "acme-kr", Order: "P-1"}
	kim   = operator.Person{Name: "kim", Why: "ticket 4711"}
)

// world is a log and a queue with one order.
type world struct {
	p            payment.Payment
	seq          uint64
	queued       *events.Message
	parked       bool
	released     []time.Time
	dropped      int
	beforeAppend func()
}

func (w *world) Last(context.Context, payment.Ref) (payment.Payment, uint64, error) {
	if w.seq == 0 {
		return payment.Payment{}, 0, events.ErrNoPayment
	}
	return w.p, w.seq, nil
}

func (w *world) Append(_ context.Context, p payment.Payment, after uint64) (uint64, error) {
	if move := w.beforeAppend; move != nil {
		w.beforeAppend = nil
		move()
	}
	if after != w.seq {
		return 0, events.ErrStale
	}
	if _, err := events.EncodePayment(p, "id"); err != nil {
		return 0, err
	}
	w.p, w.seq = p, w.seq+1
	return w.seq, nil
}

func (w *world) QueuedCommand(context.Context, payment.Ref) (events.Message, error) {
	if w.queued == nil {
		return events.Message{}, events.ErrNotQueued
	}
	return *w.queued, nil
}

func (w *world) ReleaseParked(_ context.Context, _ payment.Ref, at time.Time) error {
	if !w.parked {
		return events.ErrNotParked
	}
	w.released = append(w.released, at)
	return nil
}

func (w *world) DropParked(context.Context, payment.Ref) error { w.dropped++; return nil }

func command() payment.Command {
	return payment.Command{Ref: ref, Operation: payment.Payout, Amount: payment.KRW(10000), RequestedAt: begin}
}

// at returns a world whose payment took these steps, with its command parked.
func at(t *testing.T, steps ...payment.Observation) (*world, operator.Service) {
	t.Helper()
	w := &world{parked: true}
	for _, o := range steps {
		w.move(t, o)
	}
	return w, operator.Service{Log: w, Queue: w, Now: func() time.Time { return begin.Add(time.Hour) }}
}

func (w *world) move(t *testing.T, o payment.Observation) {
	t.Helper()
	p := w.p
	if w.seq == 0 {
		p = payment.New(command())
	}
	next, changed, err := payment.Decide(p, o, begin.Add(time.Duration(w.seq)*time.Minute))
	if err != nil || !changed {
		t.Fatalf("%s: %v, %v", o.Kind, changed, err)
	}
	w.p, w.seq = next, w.seq+1
}

var (
	park          = payment.Observation{Kind: payment.Park, ResumeAt: begin.Add(60 * time.Hour), Reason: &payment.Reason{Code: payment.ReasonClosed}}
	intend        = payment.Observation{Kind: payment.Intend}
	indeterminate = payment.Observation{Kind: payment.Indeterminate}
	unknown       = payment.Observation{Kind: payment.Unknown}
	pending       = payment.Observation{Kind: payment.Accepted}
	paid          = payment.Observation{Kind: payment.Paid}
)

func TestReleaseIsWrittenBeforeItIsDone(t *testing.T) {
	w, service := at(t, park)
	now := begin.Add(time.Hour)
	w.beforeAppend = func() {
		if len(w.released) > 0 {
			t.Error("released, and not written yet")
		}
	}
	for range 2 { // to do it again changes nothing
		o, err := service.Release(t.Context(), ref, kim, now)
		if err != nil || o.Result != operator.Released || o.Before != payment.Parked || o.After != payment.Parked {
			t.Fatalf("%+v, %v", o, err)
		}
		if w.seq != 2 || !w.p.ResumeAt.Equal(now) || w.p.Reason.Code != payment.ReasonReleased || w.p.Reason.By != "kim" || w.p.Reason.Message != "ticket 4711" {
			t.Errorf("%d events, %+v %+v", w.seq, w.p, w.p.Reason)
		}
	}
	if _, err := service.Release(t.Context(), ref, kim, now.Add(time.Hour)); err != nil || w.seq != 2 {
		t.Errorf("a release made it later: %d events, %v", w.seq, err)
	}
	w.parked = false
	if o, err := service.Release(t.Context(), ref, kim, now); err != nil || o.Result != operator.Delivered {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestReleaseOfADoubtWritesNothing(t *testing.T) {
	w, service := at(t, intend, indeterminate)
	if o, err := service.Release(t.Context(), ref, kim, begin); err != nil || o.Result != operator.LookedUp || w.seq != 2 || len(w.released) != 1 {
		t.Errorf("%+v, %v, %+v", o, err, w)
	}
	w, service = at(t, intend, paid)
	if _, err := service.Release(t.Context(), ref, kim, begin); !errors.Is(err, operator.ErrNotNow) || len(w.released) != 0 {
		t.Errorf("an outcome was released: %v", err)
	}
}

// A worker sends the payment while the person decides.
func TestAStaleViewReleasesAndCancelsNothing(t *testing.T) {
	w, service := at(t, park)
	w.beforeAppend = func() { w.move(t, intend) }
	if o, err := service.Cancel(t.Context(), ref, kim); !errors.Is(err, operator.ErrNotNow) || w.p.Status != payment.Submitting || w.dropped != 0 {
		t.Errorf("%+v, %v, %s", o, err, w.p.Status)
	}
	w, service = at(t, park)
	w.beforeAppend = func() { w.move(t, intend) }
	if o, err := service.Release(t.Context(), ref, kim, begin); err != nil || o.Result != operator.LookedUp || w.p.Status != payment.Submitting {
		t.Errorf("%+v, %v, %s", o, err, w.p.Status)
	}
}

// Only what is proven not executed is cancelled, and proof of a person's kind is not asked of a doubt.
func TestCancel(t *testing.T) {
	for name, c := range map[string]struct {
		steps   []payment.Observation
		allowed bool
	}{
		"parked": {[]payment.Observation{park}, true}, "submitting": {[]payment.Observation{intend}, false},
		"in doubt": {[]payment.Observation{intend, indeterminate}, false}, "proven unknown": {[]payment.Observation{intend, unknown, unknown}, false},
		"pending": {[]payment.Observation{intend, pending}, false}, "settled": {[]payment.Observation{intend, paid}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w, service := at(t, c.steps...)
			before := w.p
			o, err := service.Cancel(t.Context(), ref, kim)
			if c.allowed && (err != nil || w.p.Status != payment.Failed || w.p.Reason.Code != payment.ReasonCancelled || w.p.Reason.By != "kim" || w.dropped != 1 || o.After != payment.Failed) {
				t.Errorf("%+v, %v, %+v", o, err, w.p)
			}
			doubtful := name != "settled" // a person must not take it for ended
			if !c.allowed && (!errors.Is(err, operator.ErrNotNow) || w.p.Revision != before.Revision || w.dropped != 0 || strings.Contains(err.Error(), "check at the provider") != doubtful) {
				t.Errorf("%+v, %v, %s", o, err, w.p.Status)
			}
		})
	}
}

func TestCancelWhatWaitsInTheQueue(t *testing.T) {
	w, service := at(t)
	if _, err := service.Cancel(t.Context(), ref, kim); !errors.Is(err, events.ErrNotQueued) {
		t.Errorf("nothing was cancelled: %v", err)
	}
	out, err := events.EncodeCommand(command(), "id")
	if err != nil {
		t.Fatal(err)
	}
	w.queued = &events.Message{Subject: out.Subject, Header: out.Header, Data: []byte("no command"), StoredAt: begin}
	if _, err := service.Cancel(t.Context(), ref, kim); !errors.Is(err, operator.ErrNotNow) || w.seq != 0 {
		t.Errorf("what nobody can read was cancelled: %v", err)
	}
	w.queued.Data = out.Data
	if _, err := service.Cancel(t.Context(), ref, kim); err != nil || w.p.Status != payment.Failed || w.p.Fingerprint != command().Fingerprint() {
		t.Errorf("%v, %+v", err, w.p)
	}
}

func TestResolve(t *testing.T) {
	for name, steps := range map[string][]payment.Observation{
		"in doubt": {intend, indeterminate}, "pending": {intend, pending}, "conflict": {intend, paid, {Kind: payment.Declined}},
	} {
		t.Run(name, func(t *testing.T) {
			w, service := at(t, steps...)
			seen, seq := w.p, w.seq
			if _, err := service.Resolve(t.Context(), seen, seq-1, kim, operator.Decision{}); !errors.Is(err, events.ErrStale) || w.seq != seq {
				t.Fatalf("a stale view was written: %v", err)
			}
			if _, err := service.Resolve(t.Context(), seen, seq, kim, operator.Decision{Settled: true, Amount: payment.TWD(100)}); !errors.Is(err, operator.ErrNotNow) {
				t.Errorf("another currency: %v", err)
			}
			for _, none := range []int64{0, -1} {
				if _, err := service.Resolve(t.Context(), seen, seq, kim, operator.Decision{Settled: true, Amount: payment.KRW(none)}); !errors.Is(err, operator.ErrNotNow) || w.seq != seq {
					t.Errorf("settled with %d won: %v", none, err)
				}
			}
			next, err := service.Resolve(t.Context(), seen, seq, kim, operator.Decision{Settled: true, Amount: payment.KRW(9000)})
			if err != nil || next.Status != payment.Settled || next.SettledAmount != payment.KRW(9000) || next.Reason.By != "kim" || w.p.Status != payment.Settled {
				t.Errorf("%+v, %v", next, err)
			}
		})
	}
	for name, steps := range map[string][]payment.Observation{"parked": {park}, "submitting": {intend}, "settled": {intend, paid}} {
		w, service := at(t, steps...)
		if _, err := service.Resolve(t.Context(), w.p, w.seq, kim, operator.Decision{}); !errors.Is(err, operator.ErrNotNow) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// To approve again what the same person approved with the same words changes nothing, and releases it all the same.
func TestRetryIsApprovedOnce(t *testing.T) {
	w, service := at(t, intend, indeterminate, unknown, unknown)
	w.queued = &events.Message{}
	for range 2 {
		p, err := service.Retry(t.Context(), w.p, w.seq, kim)
		if err != nil || !p.RetryApproved || !w.p.RetryApproved || w.seq != 5 || w.p.Revision != 5 {
			t.Fatalf("%d events, %+v, %v", w.seq, w.p, err)
		}
	}
	if len(w.released) != 2 {
		t.Errorf("released %d times", len(w.released))
	}
}

func TestAPersonHasANameAndAReason(t *testing.T) {
	for _, bad := range []operator.Person{
		{}, {Name: "kim"}, {Why: "x"}, {Name: " kim", Why: "x"}, {Name: "kim\n", Why: "x"}, {Name: "kim", Why: "a\x1bb"},
		{Name: strings.Repeat("k", 65), Why: "x"}, {Name: "kim", Why: strings.Repeat("x", 501)},
	} {
		if bad.Validate() == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
	for _, good := range []operator.Person{kim, {Name: strings.Repeat("k", 64), Why: strings.Repeat("x", 500)}} {
		if err := good.Validate(); err != nil {
			t.Error(err)
		}
	}
}
