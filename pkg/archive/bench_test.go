package archive_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"payonce/pkg/archive"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/search"
)

var benchPayments = flag.Int("archive-payments", 20_000, "how many payments BenchmarkSearch searches")

// batchOf returns 500 events of payments of three events each, from an event on.
func batchOf(b *testing.B, from uint64) []events.Message {
	batch := make([]events.Message, 500)
	for i := range batch {
		n := int(from) + i
		p := deposit(fmt.Sprintf("D-%d", n/3), []payment.Status{payment.Submitting, payment.Pending, payment.Settled}[n%3], 1+n%3)
		batch[i] = encoded(b, p, from+uint64(i)+1)
	}
	return batch
}

func encoded(b *testing.B, p payment.Payment, sequence uint64) events.Message {
	out, err := events.EncodePayment(p, fmt.Sprint("e-", sequence))
	if err != nil {
		b.Fatal(err)
	}
	return events.Message{Subject: out.Subject, Header: out.Header, Data: out.Data, Sequence: sequence, StoredAt: start.Add(time.Duration(sequence) * time.Second)}
}

// both runs a benchmark on both databases.
func both(b *testing.B, run func(b *testing.B, location archive.Location)) {
	b.Run("sqlite", func(b *testing.B) { run(b, sqlite(b)) })
	b.Run("postgres", func(b *testing.B) { run(b, postgresLocation(b)) })
}

// BenchmarkAppend stores events in batches of 500.
func BenchmarkAppend(b *testing.B) {
	both(b, func(b *testing.B, location archive.Location) {
		s := openAt(b, location)
		sequence := uint64(0)
		for b.Loop() {
			batch := batchOf(b, sequence)
			sequence += uint64(len(batch))
			if _, err := s.Append(b.Context(), "one", batch, start); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(sequence)/b.Elapsed().Seconds(), "events/s")
	})
}

// searched are archives with many payments, made once for all rounds.
var searched sync.Map

func manyPayments(b *testing.B, database string) *archive.Store {
	if known, ok := searched.Load(database); ok {
		return known.(*archive.Store)
	}
	var location archive.Location
	if database == "sqlite" {
		location.File = filepath.Join(kept(b), "archive.db")
	} else {
		location = postgresLocation(b)
	}
	s, err := archive.Open(b.Context(), location)
	if err != nil {
		b.Fatal(err)
	}
	statuses := []payment.Status{payment.Settled, payment.Settled, payment.Settled, payment.Failed, payment.Pending, payment.Parked}
	for from := 0; from < *benchPayments; from += 500 {
		var batch []events.Message
		for n := from; n < from+500; n++ {
			p := deposit(fmt.Sprintf("D-%d", n), statuses[n%6], 1)
			p.Provider, p.ProviderReference, p.Amount = fmt.Sprintf("provider-%d", n%7), fmt.Sprintf("R-%d", n), payment.KRW(int64(n%99_991))
			p.Operation, p.Upstream = payment.Operations()[n%2], fmt.Sprintf("upstream-%d", n%3)
			p.Metadata = map[string]string{"customer_id": fmt.Sprintf("c-%d", n%50_000), "shop": fmt.Sprint(n % 4)}
			if n%6 == 3 {
				p.Reason = &payment.Reason{Code: []string{payment.ReasonDeclined, payment.ReasonExpired}[n/6%2]}
			}
			if n%9973 == 0 {
				p.OverdueAt, p.Status = start, payment.InDoubt
			}
			batch = append(batch, encoded(b, p, uint64(n)+1))
		}
		if _, err := s.Append(b.Context(), "one", batch, start); err != nil {
			b.Fatal(err)
		}
	}
	archive.Exec(b, s, "ANALYZE")
	searched.Store(database, s)
	return s
}

// kept returns a folder that stays for the benchmarks that follow.
func kept(b *testing.B) string {
	folder, err := os.MkdirTemp("", "archive-bench")
	if err != nil {
		b.Fatal(err)
	}
	folders.Store(folder, nil)
	return folder
}

// folders are deleted at the end.
var folders sync.Map

// BenchmarkSearch finds the newest 100 payments by each filter.
func BenchmarkSearch(b *testing.B) {
	at := func(n int) time.Time { return start.Add(time.Duration(n) * time.Second) }
	n := *benchPayments
	filters := []struct {
		name string
		f    search.Filter
	}{
		{"none", search.Filter{}},
		{"status", search.Filter{Statuses: []payment.Status{payment.Failed}}},
		{"status-rare", search.Filter{Statuses: []payment.Status{payment.InDoubt}}},
		{"status-none", search.Filter{Statuses: []payment.Status{payment.Conflict}}},
		{"statuses", search.Filter{Statuses: []payment.Status{payment.Pending, payment.Parked}}},
		{"provider", search.Filter{Providers: []string{"provider-3"}}},
		{"provider-status", search.Filter{Providers: []string{"provider-3"}, Statuses: []payment.Status{payment.Failed}}},
		{"operation", search.Filter{Operations: []payment.Operation{payment.Payout}}},
		{"order", search.Filter{Order: fmt.Sprintf("D-%d", n/2)}},
		{"reference", search.Filter{Reference: fmt.Sprintf("R-%d", n/2)}},
		{"code", search.Filter{Codes: []string{payment.ReasonDeclined}}},
		{"amount", search.Filter{AmountFrom: payment.KRW(5000), AmountTo: payment.KRW(5000)}},
		{"amount-range", search.Filter{AmountFrom: payment.KRW(100), AmountTo: payment.KRW(2000)}},
		{"amount-wide", search.Filter{AmountFrom: payment.KRW(50_000)}},
		{"time", search.Filter{From: at(n / 10), To: at(n / 9)}},
		{"time-status", search.Filter{From: at(n / 10), To: at(n / 9), Statuses: []payment.Status{payment.Failed}}},
		{"metadata", search.Filter{MetadataName: "shop"}},
		{"metadata-value", search.Filter{MetadataName: "customer_id", MetadataValue: "c-77", HasValue: true}},
		{"metadata-common", search.Filter{MetadataName: "shop", MetadataValue: "2", HasValue: true}},
		{"overdue", search.Filter{Overdue: true}},
		{"upstream", search.Filter{VisibleTo: "upstream-1", Providers: []string{"provider-1", "provider-2"}}},
	}
	for _, database := range []string{"sqlite", "postgres"} {
		for _, one := range filters {
			b.Run(database+"/"+one.name, func(b *testing.B) {
				s := manyPayments(b, database)
				var took []time.Duration
				for b.Loop() {
					began := time.Now()
					if _, err := s.Find(b.Context(), one.f, "", 100); err != nil {
						b.Fatal(err)
					}
					took = append(took, time.Since(began))
				}
				slices.Sort(took)
				b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
			})
		}
	}
}
