package archive_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"payonce/pkg/archive"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/search"
)

// Events in any order, alone or together, twice or more, make the same archive.
func TestAppendInAnyOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, location archive.Location) {
		s, log := openAt(t, location), newLog()
		var all []events.Message
		for i := range 4 {
			order := fmt.Sprintf("D-%d", i)
			all = append(all, log.add(t, deposit(order, payment.Submitting, 1)), log.add(t, deposit(order, payment.Pending, 2)), log.add(t, deposit(order, payment.Settled, 3)))
		}
		put(t, s, all[2])
		put(t, s, all[0], all[7], all[2])
		if st, _ := s.Status(bounded(t), log); st.Waiting != 5 || st.Lag != 4 {
			t.Errorf("status %+v", st)
		}
		put(t, s, all[11], all[5], all[1])
		put(t, s, slices.Concat(all[3:], all)...)
		if done := put(t, s, all...); done.Stored != 0 {
			t.Errorf("%+v stored again", done)
		}
		v := verified(t, s, log)
		if v.Events != 12 || v.Payments != 4 {
			t.Errorf("verified %+v", v)
		}
		st, err := s.Status(bounded(t), log)
		if err != nil || len(st.Gaps) != 0 || st.Lag != 0 || st.Payments != 4 || st.Events != 12 {
			t.Errorf("status %+v, %v", st, err)
		}
		e, err := s.Last(bounded(t), payment.Ref{Provider: "acme", Order: "D-0"})
		if err != nil || e.Payment.Status != payment.Settled || !e.OpenedAt.Equal(all[0].StoredAt) || !e.EndedAt.Equal(e.Payment.UpdatedAt) {
			t.Errorf("%+v, %v", e, err)
		}
	})
}

// What cannot be read is kept byte for byte and named, and stops nothing; the payment says that there is such an event.
func TestUnreadableEvents(t *testing.T) {
	onBoth(t, func(t *testing.T, location archive.Location) {
		s, log := openAt(t, location), newLog()
		header := events.Header{"ce-id": {"x\x00\xff"}, "odd\xff": {"a\x00"}}
		batch := []events.Message{
			log.add(t, deposit("D-1", payment.Submitting, 1)),
			log.addRaw("payment.settled.acme.D-1", header, []byte("{\x00\xff")),
			log.addRaw("payment.settled.acme.D-2", nil, nil),
			log.addRaw("payment.\xff\xfe", nil, []byte("x")),
			log.add(t, deposit("D-3", payment.Submitting, 1)),
		}
		done := put(t, s, batch...)
		if done.Stored != 5 || len(done.Unreadable) != 3 {
			t.Errorf("%+v", done)
		}
		st, err := s.Status(bounded(t), log)
		if err != nil || st.UnreadableCount != 3 || st.Unreadable[2].Subject != "payment.settled.acme.D-1" || st.Unreadable[2].Problem == "" {
			t.Errorf("%+v, %v", st, err)
		}
		e, err := s.Last(bounded(t), payment.Ref{Provider: "acme", Order: "D-1"})
		if err != nil || e.Unreadable != 2 || e.Payment.Status != payment.Submitting {
			t.Errorf("%+v, %v", e, err)
		}
		put(t, s, log.add(t, deposit("D-1", payment.InDoubt, 2)))
		if e, _ := s.Last(bounded(t), payment.Ref{Provider: "acme", Order: "D-1"}); e.Unreadable != 0 || e.Payment.Status != payment.InDoubt {
			t.Errorf("%+v", e)
		}
		v, err := s.Verify(bounded(t), log, func(f archive.Finding) { t.Errorf("%+v", f) })
		if err != nil || v.Events != 6 {
			t.Errorf("%+v, %v", v, err)
		}
	})
}

// A log that was made again, restored from an older copy, or begins its sequences again is not mixed with the one before.
func TestAnotherLogIsRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, location archive.Location) {
		s, log := openAt(t, location), newLog()
		first := log.add(t, deposit("D-1", payment.Submitting, 1))
		put(t, s, first)
		if _, err := s.Append(bounded(t), "two", []events.Message{first}, start); !errors.Is(err, archive.ErrOtherLog) {
			t.Errorf("another log: %v", err)
		}
		other := newLog()
		if _, err := s.Append(bounded(t), "one", []events.Message{other.add(t, deposit("D-9", payment.Submitting, 1))}, start); !errors.Is(err, archive.ErrLogChanged) {
			t.Errorf("the sequence of another event: %v", err)
		}
		if st, err := s.Status(bounded(t), other); err != nil || !strings.Contains(st.Problem, "event 1") {
			t.Errorf("%+v, %v", st, err)
		}
		if _, err := s.Verify(bounded(t), newLog(), func(archive.Finding) {}); !errors.Is(err, archive.ErrLogChanged) {
			t.Errorf("a shorter log: %v", err)
		}
		if err := s.Rebuild(bounded(t), other, 10, false, time.Now, func(_, _ uint64) {}); !errors.Is(err, archive.ErrLogChanged) {
			t.Errorf("rebuild: %v", err)
		}
		if err := s.Rebuild(bounded(t), other, 10, true, time.Now, func(_, _ uint64) {}); err != nil {
			t.Fatal(err)
		}
		if orders := found(t, s, search.Filter{}); !slices.Equal(orders, []string{"D-9"}) {
			t.Errorf("%v", orders)
		}
		verified(t, s, other)
	})
}

// Verify finds what is missing, more or different, and rebuild repairs it and keeps what the log has forgotten.
func TestVerifyAndRebuild(t *testing.T) {
	onBoth(t, func(t *testing.T, location archive.Location) {
		s, log := openAt(t, location), newLog()
		for i := range 6 {
			put(t, s, log.add(t, deposit(fmt.Sprintf("D-%d", i), payment.Submitting, 1)), log.add(t, deposit(fmt.Sprintf("D-%d", i), payment.Settled, 2)))
		}
		log.forget(2)
		put(t, s, log.add(t, deposit("D-0", payment.Reversed, 3)))
		for _, damage := range []string{
			"DELETE FROM events WHERE sequence = 5", "UPDATE events SET body = CAST('x' AS BLOB) WHERE sequence = 7", "UPDATE payments SET status = 'failed' WHERE order_number = 'D-5'",
		} {
			if location.File == "" {
				damage = strings.ReplaceAll(damage, "BLOB", "BYTEA")
			}
			archive.Exec(t, s, damage)
		}
		kinds := map[string]int{}
		v, err := s.Verify(bounded(t), log, func(f archive.Finding) { kinds[f.Kind]++ })
		if err != nil || kinds[archive.Missing] != 1 || kinds[archive.Different] != 1 || kinds[archive.Wrong] < 2 || v.Older != 2 {
			t.Errorf("%+v %+v %v", kinds, v, err)
		}
		if err := s.Rebuild(bounded(t), log, 3, false, time.Now, func(_, _ uint64) {}); err != nil {
			t.Fatal(err)
		}
		if v := verified(t, s, log); v.Older != 2 || v.Payments != 6 {
			t.Errorf("%+v", v)
		}
		if history, err := s.History(bounded(t), payment.Ref{Provider: "acme", Order: "D-0"}); err != nil || len(history) != 3 {
			t.Errorf("what the log has forgotten is gone: %v %v", history, err)
		}
	})
}

// Erasure replaces what is the customer's, keeps what is the ledger's, and holds for events that come later and for a rebuild.
func TestErase(t *testing.T) {
	onBoth(t, func(t *testing.T, location archive.Location) {
		s, log := openAt(t, location), newLog()
		p := deposit("D-1", payment.Pending, 1)
		p.Metadata = map[string]string{"customer_id": "marked-person"}
		p.Action = &payment.Action{Type: payment.ActionRedirect, Redirect: &payment.Redirect{URL: "https://pay.example/marked-person"}}
		put(t, s, log.add(t, p))
		refs, err := s.OrdersOf(bounded(t), "customer_id", "marked-person")
		if err != nil || len(refs) != 1 {
			t.Fatalf("%v %v", refs, err)
		}
		if n, err := s.Erase(bounded(t), refs[0], "kim", "ticket 1", start); err != nil || n != 1 {
			t.Fatalf("%d %v", n, err)
		}
		p.Status, p.Revision, p.Action = payment.Settled, 2, nil
		put(t, s, log.add(t, p))
		check := func(when string) {
			if text := archive.Dump(t, s); strings.Contains(text, "marked-person") {
				t.Errorf("%s: the person is still there: %s", when, text)
			}
			e, err := s.Last(bounded(t), p.Ref)
			if err != nil || e.Payment.Amount != p.Amount || e.Payment.Status != payment.Settled || e.Payment.Metadata["customer_id"] != archive.Erased {
				t.Errorf("%s: %+v %v", when, e, err)
			}
			verified(t, s, log)
		}
		check("at once")
		if err := s.Rebuild(bounded(t), log, 10, false, time.Now, func(_, _ uint64) {}); err != nil {
			t.Fatal(err)
		}
		check("after a rebuild")
		for _, suffix := range []string{"", "-wal"} {
			if location.File == "" {
				continue
			}
			if data, err := os.ReadFile(location.File + suffix); err == nil && suffix == "-wal" && bytes.Contains(data, []byte("marked-person")) {
				t.Error("the last writes of SQLite still hold it")
			}
		}
	})
}

// The retention deletes what has ended and is old, and nothing else.
func TestExpire(t *testing.T) {
	onBoth(t, func(t *testing.T, location archive.Location) {
		s, log := openAt(t, location), newLog()
		put(t, s, log.add(t, deposit("OLD", payment.Submitting, 1)), log.add(t, deposit("OLD", payment.Settled, 2)),
			log.add(t, deposit("OPEN", payment.InDoubt, 1)), log.add(t, deposit("CONFLICT", payment.Conflict, 1)), log.add(t, deposit("NEW", payment.Failed, 9)))
		if n, err := s.Expire(bounded(t), start.Add(5*time.Minute)); err != nil || n != 1 {
			t.Fatalf("%d %v", n, err)
		}
		if orders := found(t, s, search.Filter{}); !slices.Equal(orders, []string{"NEW", "CONFLICT", "OPEN"}) {
			t.Errorf("%v", orders)
		}
		if _, err := s.History(bounded(t), payment.Ref{Provider: "acme", Order: "OLD"}); !errors.Is(err, events.ErrNoPayment) {
			t.Errorf("%v", err)
		}
	})
}

// Processes that start at the same moment make the tables once, and each can work.
func TestManyOpenAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, location archive.Location) {
		log := newLog()
		var batch []events.Message
		for i := range 50 {
			batch = append(batch, log.add(t, deposit(fmt.Sprintf("D-%d", i), payment.Submitting, 1)))
		}
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() {
				s, err := archive.Open(bounded(t), location)
				if err != nil {
					t.Error(err)
					return
				}
				defer func() { _ = s.Close() }()
				for i := 0; i < len(batch); i += 10 {
					if _, err := s.Append(bounded(t), "one", batch[i:i+10], start); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if v := verified(t, openAt(t, location), log); v.Events != 50 {
			t.Errorf("%+v", v)
		}
	})
}

// Errors never show the password of the URL.
func TestErrorsHideTheURL(t *testing.T) {
	for _, url := range []string{"postgres://kim:hunter2@127.0.0.1:1/x", "postgres://kim:hunter2@127.0.0.1:port/x", "kim:hunter2"} {
		_, err := archive.Open(bounded(t), archive.Location{URL: newSecret(url)})
		if err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "kim") {
			t.Errorf("%s: %v", url, err)
		}
	}
}
