package main

import (
	"fmt"
	"io"
	"syscall"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/test/bench/baseline"
	"payonce/test/testenv"
)

// fill makes the payments that are there before the measured ones: kept ones are copies of one that was written as workers write it,
// the others are the work of payonce's own workers. Afterwards nothing of it waits for the disk.
func (s *system) fill(progress io.Writer) {
	if !s.filled() {
		return
	}
	s.keep(progress)
	s.execute(progress, "parked", "W", closedAccount, s.parked, 1)
	s.execute(progress, "pending", "P", baseline.Provider, s.pending+s.due, 2)
	syscall.Sync()
}

// execute has a worker process execute n payouts of an account, each of which has so many events then.
func (s *system) execute(progress io.Writer, what, prefix, account string, n, eventsEach int) {
	if n == 0 {
		return
	}
	already, say := s.stored(), counting(progress, what, n)
	for i := range n {
		s.send(payment.Command{
			Ref: payment.Ref{Provider: account, Order: fmt.Sprintf("%s%08d", prefix, i)}, Operation: payment.Payout, Amount: payment.KRW(10_000),
			Customer: payment.Customer{Name: "홍길동", Phone: "01012345678"}, Account: payment.Account{Number: "1234567890", BankCode: "004"},
		})
	}
	s.end()
	fleet := plan{}.startFleet(s, payonce(), "", "")
	testenv.Await(s.t.Context(), s.t, what, func() bool {
		done := (s.stored() - already) / eventsEach
		say(done)
		return done >= n
	})
	// A worker acknowledges a command after its event. What is parked stays in the stream, under another subject.
	testenv.Await(s.t.Context(), s.t, what+" and acknowledged", func() bool { return s.queued() == s.parked })
	fleet.stop()
	s.forgetConsumers(events.StreamCommands)
	if got := s.stored() - already; got != n*eventsEach {
		s.t.Fatalf("%d events of %d payments that should be %s", got, n, what)
	}
}

// sayEvery is how often it is said how far long work is.
const sayEvery = 10 * time.Second

// counting returns a function that says, now and then and at the end, how far long work is and how long the rest will take.
func counting(progress io.Writer, what string, all int) (say func(done int)) {
	began, next, ended := time.Now(), time.Now().Add(sayEvery), false
	return func(done int) {
		now := time.Now()
		if ended || done < 1 || done < all && now.Before(next) {
			return
		}
		took := now.Sub(began)
		left := time.Duration(float64(took) / float64(done) * float64(all-done))
		fmt.Fprintf(progress, "%s  %s: %d of %d after %s, %s left\n", now.Format(time.TimeOnly), what, done, all, took.Round(time.Second), left.Round(time.Second))
		next, ended = now.Add(sayEvery), done >= all
	}
}

// queued is how many messages are in the stream of commands, parked ones included.
func (s *system) queued() int {
	commands, err := s.js.Stream(s.t.Context(), events.StreamCommands)
	testenv.Must(s.t, err)
	return int(commands.CachedInfo().State.Msgs)
}

// warmed is how many payments payonce executes before the first round: more than wait at the head of a timer of look-ups
// (256, see jetstream.Conn.ConsumePayments), so that timers go no further while others are measured.
const warmed = 300

// warmUp lets payonce make its timers: where payments are kept they are there already, and making them is a cost of the first start alone.
func (p plan) warmUp(s *system) {
	p.payments, p.profile = warmed, ""
	s.round = 0
	r := result{}
	fleet := p.throughput(s, payonce(), &r)
	timers, since := 0, time.Now()
	testenv.Await(s.t.Context(), s.t, "the timers are there", func() bool {
		if n := len(s.consumers(events.StreamPayments)); n != timers {
			timers, since = n, time.Now()
		}
		return timers > 0 && time.Since(since) > time.Second
	})
	fleet.stop()
	s.forgetConsumers(events.StreamCommands)
}

// consumers are the names of those of a stream that programs made for themselves.
func (s *system) consumers(stream string) (names []string) {
	handle, err := s.js.Stream(s.t.Context(), stream)
	testenv.Must(s.t, err)
	list := handle.ListConsumers(s.t.Context())
	for info := range list.Info() {
		if info.Config.Durable != "" {
			names = append(names, info.Name)
		}
	}
	testenv.Must(s.t, list.Err())
	return names
}

// forgetConsumers lets the next program begin with consumers of its own: a work queue has one for each subject. A timer that is
// made again begins with the oldest event.
func (s *system) forgetConsumers(stream string) {
	handle, err := s.js.Stream(s.t.Context(), stream)
	testenv.Must(s.t, err)
	for _, name := range s.consumers(stream) {
		testenv.Must(s.t, handle.DeleteConsumer(s.t.Context(), name))
	}
}

// becomeDue waits until every pending payment is due, and has the next worker look all of them up.
func (s *system) becomeDue() {
	if s.due == 0 {
		return
	}
	s.forgetConsumers(events.StreamPayments)
	log, err := s.js.Stream(s.t.Context(), events.StreamPayments)
	testenv.Must(s.t, err)
	last, err := log.GetLastMsgForSubject(s.t.Context(), events.PaymentSubject(payment.Pending, payment.Ref{Provider: baseline.Provider, Order: lastDue(s.due)}))
	testenv.Must(s.t, err)
	testenv.Await(s.t.Context(), s.t, "all are due", func() bool { return time.Since(last.Time) > s.dueAfter+time.Second })
}

func lastDue(n int) string { return fmt.Sprintf("P%08d", n-1) }
