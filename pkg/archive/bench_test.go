package archive_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"payonce/pkg/archive"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/search"
)

var benchPayments = flag.Int("archive-payments", 20_000, "how many payments BenchmarkSearch searches")

// behind is how many payments begin between the two events of one.
const behind = 100

// batchOf returns events as a busy log has them, from one on: by turns the first one of a payment, and the outcome of one that
// began a while before.
func batchOf(b *testing.B, from uint64, size int) []events.Message {
	batch := make([]events.Message, size)
	for i := range batch {
		n := int(from) + i
		p := deposit(fmt.Sprintf("D-%d", n/2), payment.Submitting, 1)
		if n%2 == 1 {
			p = deposit(fmt.Sprintf("D-%d", max(0, n/2-behind)), payment.Settled, 2)
			p.ProviderReference = fmt.Sprintf("R-%d", n/2)
		}
		p.Upstream, p.Metadata = "shop", map[string]string{"customer_id": fmt.Sprintf("c-%d", n/2%5000)}
		batch[i] = encoded(b, p, from+uint64(i)+1)
	}
	return batch
}

// processorTime is what this process has used so far.
func processorTime() time.Duration {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used) // it cannot fail for the own process
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func encoded(b *testing.B, p payment.Payment, sequence uint64) events.Message {
	out, err := events.EncodePayment(p, fmt.Sprint("e-", sequence))
	if err != nil {
		b.Fatal(err)
	}
	return events.Message{Subject: out.Subject, Header: out.Header, Data: out.Data, Sequence: sequence, StoredAt: start.Add(time.Duration(sequence) * time.Second)}
}

// BenchmarkAppend stores events in batches, and reports the processor time of this process for each event; PostgreSQL's own is not in it.
func BenchmarkAppend(b *testing.B) {
	for name, place := range map[string]func(testing.TB) archive.Location{"sqlite": sqlite, "postgres": postgresLocation} {
		for _, size := range []int{50, 500, 2000} {
			b.Run(fmt.Sprintf("%s/%d", name, size), func(b *testing.B) {
				s := openAt(b, place(b))
				sequence, spent := uint64(0), time.Duration(0)
				for b.Loop() {
					b.StopTimer()
					batch := batchOf(b, sequence, size)
					began := processorTime()
					b.StartTimer()
					if _, err := s.Append(b.Context(), "one", batch, start); err != nil {
						b.Fatal(err)
					}
					sequence, spent = sequence+uint64(size), spent+processorTime()-began
				}
				b.ReportMetric(float64(sequence)/b.Elapsed().Seconds(), "events/s")
				b.ReportMetric(float64(spent.Microseconds())/float64(sequence), "cpu-µs/event")
			})
		}
	}
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
			p.UpdatedAt = start.Add(time.Duration(n)*time.Second + time.Duration(n%97)*time.Second)
			if p.Status == payment.Parked {
				p.ResumeAt = p.UpdatedAt.Add(time.Duration(n%90) * time.Minute)
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

// BenchmarkCharts counts for the charts of the console: the first time, and again while payments come.
func BenchmarkCharts(b *testing.B) {
	end := start.Add(time.Duration(*benchPayments) * time.Second).Truncate(4 * time.Hour).Add(4 * time.Hour)
	day := search.Interval{From: end.Add(-24 * time.Hour), Length: 30 * time.Minute, Count: 48}
	week := search.Interval{From: end.Add(-7 * 24 * time.Hour), Length: 4 * time.Hour, Count: 42}
	for _, database := range []string{"sqlite", "postgres"} {
		for _, one := range []struct {
			name  string
			count func(s *archive.Store) error
		}{
			{"day", func(s *archive.Store) error { _, err := s.Trend(b.Context(), day); return err }},
			{"week", func(s *archive.Store) error { _, err := s.Trend(b.Context(), week); return err }},
			{"parked", func(s *archive.Store) error { _, err := s.Wave(b.Context(), day); return err }},
		} {
			b.Run(database+"/"+one.name, func(b *testing.B) {
				s := manyPayments(b, database)
				archive.Forget(s)
				began := time.Now()
				if err := one.count(s); err != nil {
					b.Fatal(err)
				}
				first := time.Since(began)
				var took []time.Duration
				spent := processorTime()
				for b.Loop() {
					began := time.Now()
					if err := one.count(s); err != nil {
						b.Fatal(err)
					}
					took = append(took, time.Since(began))
				}
				slices.Sort(took)
				b.ReportMetric(float64((processorTime()-spent).Microseconds())/1000/float64(len(took)), "cpu-ms")
				b.ReportMetric(float64(first.Microseconds())/1000, "first-ms")
				b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
			})
		}
	}
}
