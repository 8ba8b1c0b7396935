package admin_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/test/jetstreamtest"
)

// A payment that may have been sent is distinguished from one that was not and from one that ended, whatever came before.
func TestMaybeSent(t *testing.T) {
	_, c := start(t)
	if refs, err := c.MaybeSent(testContext(t), "acme"); err != nil || len(refs) != 0 {
		t.Errorf("of an empty log: %v, %v", refs, err)
	}
	jetstreamtest.Walk(t, c, ref("settled"), payment.Submitting, payment.InDoubt, payment.Pending, payment.Settled)
	jetstreamtest.Walk(t, c, ref("pending"), payment.Parked, payment.Submitting, payment.Pending)
	jetstreamtest.Walk(t, c, ref("doubt"), payment.Submitting, payment.InDoubt)
	jetstreamtest.Walk(t, c, ref("parked"), payment.Submitting, payment.Parked)
	jetstreamtest.Walk(t, c, ref("intent"), payment.Submitting)
	jetstreamtest.Walk(t, c, ref("failed"), payment.Failed)
	jetstreamtest.Walk(t, c, payment.Ref{Provider: "other", Order: "x"}, payment.Submitting)
	refs, err := c.MaybeSent(testContext(t), "acme")
	if want := []payment.Ref{ref("doubt"), ref("intent"), ref("pending")}; err != nil || fmt.Sprint(refs) != fmt.Sprint(want) {
		t.Errorf("have %v, %v, want %v", refs, err, want)
	}
}

// Of two workers that begin with different accounts at the same time one is recorded, and the other gets an error.
func TestRecordAccount(t *testing.T) {
	_, c := start(t)
	last, err := c.LastAccount(testContext(t), "acme")
	if err != nil || last.Sequence != 0 {
		t.Fatalf("before the first: %+v, %v", last, err)
	}
	record := func(id, account string, after uint64) error {
		return c.RecordAccount(testContext(t), events.AuditRecord{
			ID: id, Stage: events.Intended, Action: events.ActionAccount, Provider: "acme", By: "worker@host:1", Reason: "test", At: time.Now(), Account: account,
		}, after)
	}
	if err := record("1", "one", 0); err != nil {
		t.Fatal(err)
	}
	if err := record("2", "two", 0); !errors.Is(err, events.ErrStale) {
		t.Errorf("the second of two: %v", err)
	}
	if err := record("1", "one", 0); err != nil {
		t.Errorf("the first once more, as after a lost acknowledgement: %v", err)
	}
	if last, err = c.LastAccount(testContext(t), "acme"); err != nil || last.Record.Account != "one" || last.StoredAt.IsZero() {
		t.Errorf("have %+v, %v", last, err)
	}
	if err := record("3", "three", last.Sequence); err != nil {
		t.Error(err)
	}
	if other, err := c.LastAccount(testContext(t), "other"); err != nil || other.Sequence != 0 {
		t.Errorf("of another provider: %+v, %v", other, err)
	}
}

// While a worker has a free slot its request for commands waits at the broker; it is gone soon after the worker.
func TestPullsWaiting(t *testing.T) {
	_, c := start(t)
	waiting := func() int {
		n, err := c.PullsWaiting(testContext(t), "acme")
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := waiting(); n != 0 {
		t.Errorf("%d without a consumer", n)
	}
	stop := consuming(t, c, 2, nil)
	eventually(t, "a request waits", func() bool { return waiting() == 1 })
	stop()
	eventually(t, "no request waits", func() bool { return waiting() == 0 })
}
