package archive_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"payonce/pkg/archive"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/search"
)

// generated returns events and, newest first, what an archive says after them.
func generated(t testing.TB, n int, pick func(int) int) (messages []events.Message, all []search.Entry) {
	log := newLog()
	for i := range n {
		p := deposit(fmt.Sprintf("D-%d", i), payment.Statuses()[1+pick(8)], 1)
		p.Provider, p.Operation = []string{"acme", "beta", "gamma"}[pick(3)], payment.Operations()[pick(2)]
		p.ProviderReference, p.Upstream = []string{"", "R-1", "R-2"}[pick(3)], []string{"", "shop", "game"}[pick(3)]
		p.Amount = payment.Money{Minor: int64(1 + pick(5)), Currency: []string{"KRW", "TWD"}[pick(2)]}
		p.Metadata = []map[string]string{nil, {"a": "1"}, {"a": "2", "b": ""}, {"b": "1"}}[pick(4)]
		if code := pick(3); code > 0 {
			p.Reason = &payment.Reason{Code: []string{payment.ReasonDeclined, payment.ReasonNoAnswer}[code-1]}
		}
		if pick(3) == 0 {
			p.OverdueAt = start
		}
		m := log.add(t, p)
		messages = append(messages, m)
		read, err := events.DecodePayment(m.Data)
		if err != nil {
			t.Fatal(err)
		}
		e := search.Entry{Payment: read, Sequence: m.Sequence, OpenedAt: m.StoredAt}
		all = append(all, e)
	}
	slices.Reverse(all)
	return messages, all
}

func filters() *rapid.Generator[search.Filter] {
	return rapid.Custom(func(t *rapid.T) search.Filter {
		var f search.Filter
		some := func(name string) bool { return rapid.IntRange(0, 3).Draw(t, name) == 0 }
		if some("status") {
			f.Statuses = rapid.SliceOfN(rapid.SampledFrom(payment.Statuses()), 1, 3).Draw(t, "statuses")
		}
		if some("provider") {
			f.Providers = rapid.SliceOfN(rapid.SampledFrom([]string{"acme", "beta", "gamma", "none"}), 1, 2).Draw(t, "providers")
		}
		if some("operation") {
			f.Operations = []payment.Operation{rapid.SampledFrom(payment.Operations()).Draw(t, "operation is")}
		}
		if some("order") {
			f.Order = fmt.Sprintf("D-%d", rapid.IntRange(0, 200).Draw(t, "number"))
		}
		if some("reference") {
			f.Reference = rapid.SampledFrom([]string{"R-1", "R-2", "R-3"}).Draw(t, "reference is")
		}
		if some("code") {
			f.Codes = rapid.SliceOfN(rapid.SampledFrom([]string{payment.ReasonDeclined, payment.ReasonNoAnswer, "other"}), 1, 2).Draw(t, "codes")
		}
		currency := rapid.SampledFrom([]string{"KRW", "TWD"}).Draw(t, "currency")
		if some("amount from") {
			f.AmountFrom = payment.Money{Minor: rapid.Int64Range(0, 6).Draw(t, "from amount"), Currency: currency}
		}
		if some("amount to") {
			f.AmountTo = payment.Money{Minor: rapid.Int64Range(0, 6).Draw(t, "to amount"), Currency: currency}
		}
		if some("from") {
			f.From = start.Add(time.Duration(rapid.IntRange(0, 200).Draw(t, "from time")) * time.Second)
		}
		if some("to") {
			f.To = start.Add(time.Duration(rapid.IntRange(0, 200).Draw(t, "to time")) * time.Second)
		}
		if some("metadata") {
			f.MetadataName = rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "name")
			f.HasValue = rapid.Bool().Draw(t, "has value")
			f.MetadataValue = rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "value")
		}
		f.Overdue = some("overdue")
		if some("upstream") {
			f.VisibleTo = rapid.SampledFrom([]string{"shop", "game", "none"}).Draw(t, "upstream is")
		}
		return f
	})
}

// pagesOf returns the orders of all pages of a search. between is called after each page.
func pagesOf(t testing.TB, s *archive.Store, f search.Filter, limit int, between func()) (orders []string) {
	for after := ""; ; {
		page, err := s.Find(bounded(t), f, after, limit)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Entries) > limit {
			t.Fatalf("a page of %d", len(page.Entries))
		}
		for _, e := range page.Entries {
			orders = append(orders, e.Payment.Order)
		}
		if after = page.Next; after == "" {
			return orders
		}
		between()
	}
}

// Every search finds what a plain look at all payments finds, in order, whatever the size of its pages.
func TestFindAgainstAPlainFilter(t *testing.T) {
	onBoth(t, func(t *testing.T, location archive.Location) {
		random := rapid.IntRange(0, 1<<30)
		seed := 0
		messages, all := generated(t, 150, func(n int) int { seed++; return random.Example(seed) % n })
		s := openAt(t, location)
		put(t, s, messages...)
		rapid.Check(t, func(r *rapid.T) {
			f := filters().Draw(r, "filter")
			var want []string
			for _, e := range all {
				if f.Matches(e) {
					want = append(want, e.Payment.Order)
				}
			}
			got := pagesOf(t, s, f, rapid.IntRange(1, 40).Draw(r, "limit"), func() {})
			if !slices.Equal(got, want) {
				r.Fatalf("%+v finds %v, want %v", f, got, want)
			}
		})
	})
}

// Pages are complete and without repeats while payments come and change.
func TestPagesWhilePaymentsCome(t *testing.T) {
	onBoth(t, func(t *testing.T, location archive.Location) {
		s, log := openAt(t, location), newLog()
		var want []string
		for i := range 30 {
			order := fmt.Sprintf("D-%02d", i)
			put(t, s, log.add(t, deposit(order, payment.Pending, 1)))
			want = append(want, order)
		}
		slices.Reverse(want)
		n := 0
		got := pagesOf(t, s, search.Filter{Providers: []string{"acme"}}, 4, func() {
			n++
			put(t, s, log.add(t, deposit(fmt.Sprintf("NEW-%d", n), payment.Pending, 1)), log.add(t, deposit(fmt.Sprintf("D-%02d", n), payment.Settled, 2)))
		})
		if !slices.Equal(got, want) {
			t.Errorf("%v", got)
		}
		for _, bad := range []string{"x", "AAAA", "!"} {
			if _, err := s.Find(bounded(t), search.Filter{}, bad, 1); !errors.Is(err, search.ErrCursor) {
				t.Errorf("%s: %v", bad, err)
			}
		}
	})
}

// A search of the log finds the same as the archive, as far as it looks, and says how far that is.
func TestLogSearchFindsTheSame(t *testing.T) {
	s, log := openAt(t, sqlite(t)), newLog()
	for i := range 60 {
		p := deposit(fmt.Sprintf("D-%d", i), []payment.Status{payment.Pending, payment.Settled}[i%2], 1)
		put(t, s, log.add(t, p))
		if i%3 == 0 {
			p.Status, p.Revision = payment.Conflict, 2
			put(t, s, log.add(t, p))
		}
	}
	for _, f := range []search.Filter{{}, {Statuses: []payment.Status{payment.Conflict}}, {Order: "D-7"}} {
		var want, got []string
		for after := ""; ; {
			page, err := s.Find(bounded(t), f, after, 7)
			logged, logErr := search.Log{Source: log, Events: 1000}.Find(bounded(t), f, after, 7)
			if err != nil || logErr != nil || page.Next != logged.Next || logged.Looked == nil || !logged.Looked.All || logged.Looked.Events != 80 {
				t.Fatalf("%v %v %+v %+v", err, logErr, page, logged)
			}
			for _, e := range page.Entries {
				want = append(want, fmt.Sprintf("%+v", e))
			}
			for _, e := range logged.Entries {
				got = append(got, fmt.Sprintf("%+v", e))
			}
			if after = page.Next; after == "" {
				break
			}
		}
		if !slices.Equal(got, want) || len(want) == 0 {
			t.Errorf("%+v:\n%v\nwant\n%v", f, got, want)
		}
	}
	page, err := search.Log{Source: log, Events: 10}.Find(bounded(t), search.Filter{}, "", 100)
	if err != nil || page.Looked.All || page.Looked.Events != 10 || len(page.Entries) == 0 || len(page.Entries) > 10 {
		t.Errorf("%+v %v", page, err)
	}
}
