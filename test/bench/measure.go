package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/test/bench/baseline"
	"payonce/test/testenv"
)

// result is what one program did in one round.
type result struct {
	program  string
	setting  setting
	p50, p99 time.Duration // from a command's publish to the moment at which its outcome was stored

	perSecond float64 // of a backlog
	cost
}

// runTimeout bounds one round of one program.
const runTimeout = 10 * time.Minute

// measure plays one round: payments one by one for the latency, then a backlog for the throughput.
func (p plan) measure(t testing.TB, of program, in setting) result {
	s := start(t, p.store, p.slots, in.sync)
	r := result{program: of.name, setting: in}
	r.p50, r.p99 = p.latency(s, of, in.workers)
	r.perSecond, r.cost = p.throughput(s, of, in.workers)
	return r
}

func (p plan) latency(s *system, of program, workers int) (p50, p99 time.Duration) {
	fleet := p.startFleet(s, of, workers, "")
	defer fleet.stop()
	sent := make(map[string]time.Time, p.paced)
	tick := time.NewTicker(time.Second / time.Duration(p.rate))
	defer tick.Stop()
	for i := range p.paced {
		select {
		case <-s.t.Context().Done():
			s.t.Fatal(context.Cause(s.t.Context()))
		case <-tick.C:
		}
		order := fmt.Sprintf("L%d", i)
		sent[order] = time.Now()
		s.publish(order)
	}
	s.await(p.paced * of.events)
	took := make([]time.Duration, 0, p.paced)
	for _, o := range s.outcomes() {
		took = append(took, o.at.Sub(sent[o.order]))
	}
	slices.Sort(took)
	return took[len(took)/2], took[len(took)*99/100]
}

// warmUp is the part of a backlog that is not measured: connections are opened in it, and a second process
// may be a moment later than the first.
const warmUp = 5 // one fifth

func (p plan) throughput(s *system, of program, workers int) (perSecond float64, c cost) {
	for i := range p.payments {
		s.publish(fmt.Sprintf("T%d", i))
	}
	select {
	case <-s.js.PublishAsyncComplete():
	case <-s.t.Context().Done():
		s.t.Fatal(context.Cause(s.t.Context()))
	}
	before := s.spent()
	fleet := p.startFleet(s, of, workers, p.profile)
	defer fleet.stop()
	profiled := func() error { return nil }
	if p.profile != "" {
		profiled = s.profileBroker(s.t.Context(), filepath.Join(p.profile, of.name))
	}
	s.await((p.paced + p.payments) * of.events)
	after := s.spent()
	for _, process := range fleet {
		after.worker += processorTime(s.t, process.Pid())
	}
	testenv.Must(s.t, profiled())
	outcomes := s.outcomes()
	if missing := p.paced + p.payments - len(outcomes); missing != 0 {
		s.t.Fatalf("%d outcomes too few", missing)
	}
	backlog := outcomes[p.paced:]
	slices.SortFunc(backlog, func(a, b outcome) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
	first, last := len(backlog)/warmUp, len(backlog)-1
	return float64(last-first) / backlog[last].at.Sub(backlog[first].at).Seconds(), after.minus(before).of(p.payments)
}

// publish puts a command into the queue and does not wait for it to be stored.
func (s *system) publish(order string) {
	cmd := payment.Command{
		Ref: payment.Ref{Provider: baseline.Provider, Order: order}, Operation: payment.Deposit, Amount: payment.KRW(10_000),
		Customer: payment.Customer{ID: "C1", Name: "홍길동"}, RequestedAt: time.Now().UTC(),
	}
	id := uuid.NewString()
	out, err := events.EncodeCommand(cmd, id)
	testenv.Must(s.t, err)
	msg := &nats.Msg{Subject: out.Subject, Header: nats.Header(out.Header), Data: out.Data}
	msg.Header.Set("_watermill_message_uuid", id)                      // Watermill's name of a message
	_, err = s.js.PublishMsgAsync(msg, njs.WithStallWait(time.Minute)) // a synced disk is slower than this loop
	testenv.Must(s.t, err)
}

// await waits until there are so many events.
func (s *system) await(n int) {
	log, err := s.js.Stream(s.t.Context(), events.StreamPayments)
	testenv.Must(s.t, err)
	testenv.Await(s.t.Context(), s.t, fmt.Sprintf("%d events", n), func() bool {
		info, err := log.Info(s.t.Context())
		testenv.Must(s.t, err)
		return int(info.State.Msgs) >= n
	})
}

// outcome is one event, and when the broker stored it.
type outcome struct {
	order string
	at    time.Time
}

// outcomes reads all outcomes, in the order of the log.
func (s *system) outcomes() (all []outcome) {
	consumer, err := s.js.OrderedConsumer(s.t.Context(), events.StreamPayments, njs.OrderedConsumerConfig{
		FilterSubjects: []string{baseline.OutcomePrefix + "*"}, HeadersOnly: true,
	})
	testenv.Must(s.t, err)
	info, err := consumer.Info(s.t.Context())
	testenv.Must(s.t, err)
	for left := int(info.NumPending); left > 0; {
		batch, err := consumer.Fetch(min(left, 1000), njs.FetchMaxWait(10*time.Second))
		testenv.Must(s.t, err)
		for m := range batch.Messages() {
			meta, err := m.Metadata()
			testenv.Must(s.t, err)
			all = append(all, outcome{order: strings.TrimPrefix(m.Subject(), baseline.OutcomePrefix), at: meta.Timestamp})
			left--
		}
		testenv.Must(s.t, batch.Error())
	}
	return all
}

// fleet is the processes of one program.
type fleet []*testenv.Process

func (p plan) startFleet(s *system, of program, workers int, profile string) (f fleet) {
	for i := range workers {
		cmd := exec.Command(of.build(s.t), of.arguments(s)...)
		if profile != "" {
			cmd.Env = append(os.Environ(), fmt.Sprintf("PAYONCE_BENCH_PROFILE=%s", filepath.Join(profile, fmt.Sprintf("%s-%d", of.name, i+1))))
		}
		process, err := testenv.Start(s.t.Context(), cmd, io.Discard, baseline.Ready)
		testenv.Must(s.t, err)
		s.t.Cleanup(process.Kill)
		f = append(f, process)
	}
	return f
}

func (f fleet) stop() {
	for _, process := range f {
		if err := process.Stop(testenv.StopTimeout); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
	}
}
