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
	"strconv"
	"strings"
	"testing"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/test/bench/baseline"
	"payonce/test/testenv"
)

// result is what one program did in one round.
type result struct {
	program   string
	setting   setting
	perSecond float64 // of a backlog
	latency   []latency
	memory    memory
	lookups   int // that the provider got
	cost
}

// latency is how long payments took at a load: from the moment at which a command was due to be published to the one at which
// its outcome was stored.
type latency struct {
	load          load
	rate          int
	p50, p90, p99 time.Duration
}

func (r result) latencies() (text string) {
	for _, l := range r.latency {
		text += fmt.Sprintf(", at %s (%d a second) p50 %s, p99 %s", l.load, l.rate, millis(l.p50), millis(l.p99))
	}
	return text
}

// runTimeout bounds one round of one program, and fillTimeout what is written for each payment before it.
const (
	runTimeout  = 10 * time.Minute
	fillTimeout = 2 * time.Millisecond
)

func (s setting) timeout() time.Duration {
	return runTimeout + time.Duration(s.kept+s.parked+s.pending+s.due)*fillTimeout + s.dueAfter
}

// measure plays one round on servers of its own.
func (p plan) measure(t testing.TB, progress io.Writer, of program, in setting) result {
	s := start(t, p.store, in)
	s.fill(progress)
	return p.playRound(s, of)
}

// playRound plays one round: a backlog for the throughput, then payments at each load for the latency.
func (p plan) playRound(s *system, of program) result {
	s.becomeDue()
	s.round++
	r, lookups := result{program: of.name, setting: s.setting}, s.lookups.Load()
	fleet := p.throughput(s, of, &r)
	defer fleet.stop()
	if p.paced > 0 {
		for i, l := range p.loads {
			r.latency = append(r.latency, p.atLoad(s, of, l, l.of(r.perSecond), fmt.Sprintf("L%d-%d-", s.round, i)))
		}
	}
	r.lookups = int(s.lookups.Load() - lookups)
	return r
}

// atLoad sends payments at a rate. Each counts from when it was due: a sender that falls behind hides no delay.
func (p plan) atLoad(s *system, of program, l load, rate int, prefix string) latency {
	n := max(10, int(p.paced.Seconds()*float64(rate)))
	before, feed := s.stored(), s.feed(of, p.best.of(of, s.setting))
	s.from = before + 1
	due, first := make(map[string]time.Time, n), time.Now()
	for i := range n {
		order := prefix + strconv.Itoa(i)
		due[order] = first.Add(time.Duration(i) * time.Second / time.Duration(rate))
		select {
		case <-s.t.Context().Done():
			s.t.Fatal(context.Cause(s.t.Context()))
		case <-time.After(time.Until(due[order])):
		}
		feed.publish(order)
	}
	feed.end()
	s.await(before + n*of.events)
	took := make([]time.Duration, 0, n)
	for _, o := range s.allOutcomes(prefix, n) {
		took = append(took, o.at.Sub(due[o.order]))
	}
	slices.Sort(took)
	return latency{load: l, rate: rate, p50: took[len(took)/2], p90: took[len(took)*9/10], p99: took[len(took)*99/100]}
}

// warmUp is the part of a backlog that is not measured: connections are opened in it, and a second process
// may be a moment later than the first.
const warmUp = 5 // one fifth

// throughput has a program work through a backlog, and leaves its processes running.
func (p plan) throughput(s *system, of program, r *result) fleet {
	options := p.best.of(of, s.setting)
	var fleet fleet
	if of.early {
		fleet = p.startFleet(s, of, options, p.profile)
	}
	already, before := s.stored(), s.spent()
	s.from = already + 1
	prefix, feed := fmt.Sprintf("T%d-", s.round), s.feed(of, options)
	for i := range p.payments {
		feed.publish(prefix + strconv.Itoa(i))
	}
	feed.end()
	if !of.early {
		before = s.spent() // without what it costs the broker to take the commands
		fleet = p.startFleet(s, of, options, p.profile)
	}
	profiled := func() error { return nil }
	if p.profile != "" {
		profiled = s.profileBroker(s.t.Context(), filepath.Join(p.profile, of.name))
	}
	s.await(already + p.payments*of.events)
	after := s.spent()
	after.worker = fleet.spent(s.t)
	r.cost = after.minus(before).of(p.payments)
	testenv.Must(s.t, profiled())
	backlog := s.allOutcomes(prefix, p.payments)
	slices.SortFunc(backlog, func(a, b outcome) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
	first, last := len(backlog)/warmUp, len(backlog)-1
	r.perSecond = float64(last-first) / backlog[last].at.Sub(backlog[first].at).Seconds()
	return fleet
}

// allOutcomes waits for n outcomes: a payment can have more events than one that goes straight through.
func (s *system) allOutcomes(prefix string, n int) (all []outcome) {
	testenv.Await(s.t.Context(), s.t, fmt.Sprintf("%d outcomes", n), func() bool { all = s.outcomes(prefix); return len(all) >= n })
	return all
}

// await waits until there are so many events. Where look-ups can write some, too, it waits until no command is left.
func (s *system) await(n int) {
	if s.due > 0 {
		testenv.Await(s.t.Context(), s.t, "all commands are executed", func() bool { return s.queued() == s.parked })
		return
	}
	testenv.Await(s.t.Context(), s.t, fmt.Sprintf("%d events", n), func() bool { return s.stored() >= n })
}

// stored is how many events the log has.
func (s *system) stored() (n int) {
	testenv.Await(s.t.Context(), s.t, "the log answers", func() bool { // a cluster may be electing a leader
		log, err := s.js.Stream(s.t.Context(), events.StreamPayments)
		if err == nil {
			n = int(log.CachedInfo().State.Msgs)
		}
		return err == nil
	})
	return n
}

// outcome is one event, and when the broker stored it.
type outcome struct {
	order string
	at    time.Time
}

// outcomes reads the outcomes of the orders with a prefix, in the order of the log, from where the round began.
func (s *system) outcomes(prefix string) (all []outcome) {
	var err error
	testenv.Await(s.t.Context(), s.t, "the outcomes can be read", func() bool { // a cluster may be electing a leader
		all, err = s.readOutcomes(prefix)
		return err == nil || s.nodes == 1
	})
	testenv.Must(s.t, err)
	return all
}

func (s *system) readOutcomes(prefix string) (all []outcome, err error) {
	consumer, err := s.js.OrderedConsumer(s.t.Context(), events.StreamPayments, njs.OrderedConsumerConfig{
		FilterSubjects: []string{baseline.OutcomePrefix + "*"}, HeadersOnly: true,
		DeliverPolicy: njs.DeliverByStartSequencePolicy, OptStartSeq: uint64(max(s.from, 1)),
	})
	if err != nil {
		return nil, err
	}
	info, err := consumer.Info(s.t.Context())
	if err != nil {
		return nil, err
	}
	for left := int(info.NumPending); left > 0; {
		batch, err := consumer.Fetch(min(left, 1000), njs.FetchMaxWait(10*time.Second))
		if err != nil {
			return nil, err
		}
		for m := range batch.Messages() {
			meta, err := m.Metadata()
			if err != nil {
				return nil, err
			}
			if order := strings.TrimPrefix(m.Subject(), baseline.OutcomePrefix); strings.HasPrefix(order, prefix) {
				all = append(all, outcome{order: order, at: meta.Timestamp})
			}
			left--
		}
		if err := batch.Error(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// fleet is the processes of one program.
type fleet []*testenv.Process

func (p plan) startFleet(s *system, of program, options, profile string) (f fleet) {
	for i := range s.workers {
		cmd := exec.Command(of.build(s.t), of.arguments(s, options)...)
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

// spent is the processor time of all processes.
func (f fleet) spent(t testing.TB) (total time.Duration) {
	for _, process := range f {
		total += processorTime(t, process.Pid())
	}
	return total
}

func (f fleet) stop() {
	for _, process := range f {
		if err := process.Stop(testenv.StopTimeout); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
	}
}
