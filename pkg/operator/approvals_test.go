package operator_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
)

// records is AUDIT on a server that writes the account of who writes.
type records struct {
	entries []events.AuditEntry
	account string
	at      time.Time
	read    int // how many were given out
}

func (r *records) Audit(ctx context.Context, record events.AuditRecord) error {
	_, err := r.RecordRequest(ctx, record)
	return err
}

func (r *records) RecordRequest(_ context.Context, record events.AuditRecord) (uint64, error) {
	sequence := uint64(len(r.entries) + 1)
	r.entries = append(r.entries, events.AuditEntry{Sequence: sequence, StoredAt: r.at, Account: r.account, Record: record})
	return sequence, nil
}

func (r *records) RecordAfter(ctx context.Context, record events.AuditRecord, last uint64) error {
	if last != uint64(len(r.entries)) {
		return events.ErrStale
	}
	return r.Audit(ctx, record)
}

func (r *records) Audits(_ context.Context, after uint64, most int) ([]events.AuditEntry, error) {
	rest := r.entries[min(after, uint64(len(r.entries))):]
	rest = rest[:min(most, len(rest))]
	r.read += len(rest)
	return rest, nil
}

// With accounts, who requested and who approved is what the server wrote, and a record without an account counts for nothing.
func TestApprovalsGoByAccounts(t *testing.T) {
	w, service := at(t, intend, indeterminate)
	audit := &records{at: service.Now()}
	a := actions(service, audit)
	a.Approvals = operator.Approvals{Above: []payment.Money{payment.KRW(1)}, Expires: time.Hour, Accounts: true, Requests: audit}
	lee := operator.Person{Name: "lee", Why: "seen"}
	request := func(account string) uint64 {
		t.Helper()
		audit.account = account
		var requested *operator.RequestedError
		if err := a.Resolve(t.Context(), w.p, w.seq, kim, operator.Decision{Settled: true}); !errors.As(err, &requested) {
			t.Fatal(err)
		}
		return requested.Request
	}
	approve := func(account string, number uint64, who operator.Person, want error) {
		t.Helper()
		audit.account = account
		if err := a.Approve(t.Context(), number, who, nil); !errors.Is(err, want) {
			t.Errorf("as %s: %v, want %v", who.Name, err, want)
		}
	}
	approve("operator-lee", request(""), lee, operator.ErrNoRequest) // by a worker's key
	number := request("operator-kim")
	approve("operator-kim", number, kim, operator.ErrOwnRequest)
	approve("console", request("console"), kim, operator.ErrOwnRequest) // signed in there, not here
	approve("operator-kim", request("console"), kim, operator.ErrOwnRequest)
	approve("operator-lee", request("operator-lee"), lee, operator.ErrOwnRequest) // whatever name the record has

	// An end without an account ends nothing.
	audit.account = ""
	if _, err := audit.RecordRequest(t.Context(), events.AuditRecord{Stage: events.Refused, Request: number, By: "lee"}); err != nil {
		t.Fatal(err)
	}
	if w.p.Status != payment.InDoubt {
		t.Fatalf("%+v", w.p)
	}
	approve("operator-lee", number, lee, nil)
	if w.p.Status != payment.Settled || w.p.Reason.By != "kim" {
		t.Errorf("%+v", w.p)
	}
	approve("operator-ann", number, operator.Person{Name: "ann", Why: "seen"}, operator.ErrRequestEnded)
}

// Recent finds the requests from a time on, however many records are older, and the end of each.
func TestRecentRequests(t *testing.T) {
	_, service := at(t, intend, indeterminate)
	audit := &records{}
	a := operator.Approvals{Expires: time.Hour, Requests: audit}
	now := service.Now()
	write := func(at time.Time, r events.AuditRecord) uint64 {
		audit.at = at
		sequence, err := audit.RecordRequest(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return sequence
	}
	request := events.AuditRecord{Stage: events.Requested, Action: events.ActionFail, By: "kim", ExpiresAt: now.Add(time.Hour), Items: []events.AuditItem{{Order: "P-1"}}}
	for older := range 70 {
		audit.entries = nil
		for range older {
			write(now.Add(-2*time.Hour), request)
		}
		first, second := write(now.Add(-time.Minute), request), write(now, request)
		write(now, events.AuditRecord{Stage: events.Refused, Request: first, By: "lee"})
		found, err := a.Recent(t.Context(), now.Add(-time.Hour), now)
		if err != nil || len(found) != 2 || found[0].Sequence != first || found[0].State != events.Refused || found[1].Sequence != second || found[1].State != events.Requested {
			t.Fatalf("after %d older ones: %v, %+v", older, err, found)
		}
	}
	audit.entries = nil
	if found, err := a.Recent(t.Context(), now, now); err != nil || len(found) != 0 {
		t.Errorf("%v, %+v", err, found)
	}
}

// What waits is known at each time it is asked for, and each record of AUDIT is read once.
func TestWaitingRequests(t *testing.T) {
	_, service := at(t, intend, indeterminate)
	audit, now := &records{}, service.Now()
	a := operator.Approvals{Expires: time.Hour, Requests: audit}
	write := func(at time.Time, r events.AuditRecord) uint64 {
		t.Helper()
		audit.at = at
		sequence, err := audit.RecordRequest(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return sequence
	}
	request := events.AuditRecord{Stage: events.Requested, Action: events.ActionFail, By: "kim", ExpiresAt: now.Add(2 * time.Hour), Items: []events.AuditItem{{Order: "P-1"}}}
	for range 120 {
		write(now.Add(-2*time.Hour), request)
	}
	waiting := operator.NewWaiting(a)
	wants := func(at time.Time, want ...uint64) {
		t.Helper()
		found, err := waiting.Requests(t.Context(), at)
		var have []uint64
		for _, r := range found {
			have = append(have, r.Sequence)
		}
		if err != nil || !slices.Equal(have, want) {
			t.Errorf("%v waits, want %v, %v", have, want, err)
		}
	}
	wants(now)
	first, second := write(now, request), write(now.Add(10*time.Minute), request)
	wants(now.Add(10*time.Minute), first, second)
	audit.read = 0
	wants(now.Add(11*time.Minute), first, second)
	if audit.read != 0 {
		t.Errorf("%d records were read again", audit.read)
	}
	write(now.Add(12*time.Minute), events.AuditRecord{Stage: events.Refused, Request: second, By: "lee"})
	wants(now.Add(12*time.Minute), first)
	wants(now.Add(time.Hour)) // it has expired, and no record says so
}

// A request expires by the time at which the server stored it, whatever its record says.
func TestARequestCannotOutliveTheConfiguration(t *testing.T) {
	_, service := at(t, intend, indeterminate)
	audit := &records{at: service.Now().Add(-2 * time.Hour)}
	a := operator.Approvals{Expires: time.Hour, Requests: audit}
	if _, err := audit.RecordRequest(t.Context(), events.AuditRecord{
		Stage: events.Requested, Action: events.ActionFail, By: "kim", ExpiresAt: service.Now().Add(1000 * time.Hour), Items: []events.AuditItem{{Order: "P-1"}},
	}); err != nil {
		t.Fatal(err)
	}
	if r, err := a.Request(t.Context(), 1, service.Now()); err != nil || r.State != events.Expired {
		t.Errorf("%+v, %v", r, err)
	}
}
