package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/internal/bench/baseline"
	"payonce/internal/testenv"
	"payonce/pkg/events"
	"payonce/pkg/payment"
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
func (p plan) measure(ctx context.Context, b *builds, of program, in setting) (r result, err error) {
	ctx, cancel := context.WithTimeout(ctx, runTimeout)
	defer cancel()
	s, err := start(ctx, b, p.store, p.slots, in.sync)
	if err != nil {
		return r, err
	}
	defer s.stop()
	r = result{program: of.name, setting: in}
	if r.p50, r.p99, err = p.latency(ctx, s, b, of, in.workers); err != nil {
		return r, fmt.Errorf("latency: %w", err)
	}
	r.perSecond, r.cost, err = p.throughput(ctx, s, b, of, in.workers)
	if err != nil {
		return r, fmt.Errorf("throughput: %w", err)
	}
	return r, nil
}

func (p plan) latency(ctx context.Context, s *system, b *builds, of program, workers int) (p50, p99 time.Duration, err error) {
	fleet, err := p.startFleet(ctx, s, b, of, workers, "")
	if err != nil {
		return 0, 0, err
	}
	defer fleet.stop()
	sent := make(map[string]time.Time, p.paced)
	tick := time.NewTicker(time.Second / time.Duration(p.rate))
	defer tick.Stop()
	for i := range p.paced {
		select {
		case <-ctx.Done():
			return 0, 0, context.Cause(ctx)
		case <-tick.C:
		}
		order := fmt.Sprintf("L%d", i)
		sent[order] = time.Now()
		if err := s.publish(order); err != nil {
			return 0, 0, err
		}
	}
	if err := s.await(ctx, p.paced*of.events); err != nil {
		return 0, 0, err
	}
	outcomes, err := s.outcomes(ctx)
	if err != nil {
		return 0, 0, err
	}
	took := make([]time.Duration, 0, p.paced)
	for _, o := range outcomes {
		took = append(took, o.at.Sub(sent[o.order]))
	}
	slices.Sort(took)
	return took[len(took)/2], took[len(took)*99/100], nil
}

// warmUp is the part of a backlog that is not measured: connections are opened in it, and a second process
// may be a moment later than the first.
const warmUp = 5 // one fifth

func (p plan) throughput(ctx context.Context, s *system, b *builds, of program, workers int) (perSecond float64, c cost, err error) {
	for i := range p.payments {
		if err := s.publish(fmt.Sprintf("T%d", i)); err != nil {
			return 0, c, err
		}
	}
	select {
	case <-s.js.PublishAsyncComplete():
	case <-ctx.Done():
		return 0, c, context.Cause(ctx)
	}
	before, err := s.spent()
	if err != nil {
		return 0, c, err
	}
	fleet, err := p.startFleet(ctx, s, b, of, workers, p.profile)
	if err != nil {
		return 0, c, err
	}
	defer fleet.stop()
	profiled := func() error { return nil }
	if p.profile != "" {
		profiled = s.profileBroker(ctx, filepath.Join(p.profile, of.name))
	}
	if err := s.await(ctx, (p.paced+p.payments)*of.events); err != nil {
		return 0, c, err
	}
	after, err := s.spent()
	if err != nil {
		return 0, c, err
	}
	after.worker, err = fleet.spent()
	if err != nil {
		return 0, c, err
	}
	if err := profiled(); err != nil {
		return 0, c, fmt.Errorf("profile: %w", err)
	}
	outcomes, err := s.outcomes(ctx)
	if err != nil {
		return 0, c, err
	}
	if missing := p.paced + p.payments - len(outcomes); missing != 0 {
		return 0, c, fmt.Errorf("%d outcomes too few", missing)
	}
	backlog := outcomes[p.paced:]
	slices.SortFunc(backlog, func(a, b outcome) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
	first, last := len(backlog)/warmUp, len(backlog)-1
	return float64(last-first) / backlog[last].at.Sub(backlog[first].at).Seconds(), after.minus(before).of(p.payments), nil
}

// publish puts a command into the queue and does not wait for it to be stored.
func (s *system) publish(order string) error {
	cmd := payment.Command{
		Ref: payment.Ref{Provider: baseline.Provider, Order: order}, Operation: payment.Deposit, Amount: payment.KRW(10_000),
		Customer: payment.Customer{ID: "C1", Name: "홍길동"}, RequestedAt: time.Now().UTC(),
	}
	id := uuid.NewString()
	out, err := events.EncodeCommand(cmd, id)
	if err != nil {
		return err
	}
	msg := &nats.Msg{Subject: out.Subject, Header: nats.Header(out.Header), Data: out.Data}
	msg.Header.Set("_watermill_message_uuid", id)                      // Watermill's name of a message
	_, err = s.js.PublishMsgAsync(msg, njs.WithStallWait(time.Minute)) // a synced disk is slower than this loop
	return err
}

// await waits until there are so many events.
func (s *system) await(ctx context.Context, n int) error {
	log, err := s.js.Stream(ctx, events.StreamPayments)
	if err != nil {
		return err
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		info, err := log.Info(ctx)
		if err != nil {
			return err
		}
		if have := int(info.State.Msgs); have >= n {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d events were written: %w", info.State.Msgs, n, context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// outcome is one event, and when the broker stored it.
type outcome struct {
	order string
	at    time.Time
}

// outcomes reads all outcomes, in the order of the log.
func (s *system) outcomes(ctx context.Context) (all []outcome, err error) {
	consumer, err := s.js.OrderedConsumer(ctx, events.StreamPayments, njs.OrderedConsumerConfig{
		FilterSubjects: []string{baseline.OutcomePrefix + "*"}, HeadersOnly: true,
	})
	if err != nil {
		return nil, err
	}
	info, err := consumer.Info(ctx)
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
			all = append(all, outcome{order: strings.TrimPrefix(m.Subject(), baseline.OutcomePrefix), at: meta.Timestamp})
			left--
		}
		if batch.Error() != nil {
			return nil, batch.Error()
		}
	}
	return all, nil
}

// fleet is the processes of one program.
type fleet []*testenv.Process

func (p plan) startFleet(ctx context.Context, s *system, b *builds, of program, workers int, profile string) (f fleet, err error) {
	defer func() {
		if err != nil {
			f.stop()
		}
	}()
	for i := range workers {
		cmd := exec.Command(b.path(of.name), of.arguments(s)...)
		if profile != "" {
			cmd.Env = append(os.Environ(), fmt.Sprintf("PAYONCE_BENCH_PROFILE=%s", filepath.Join(profile, fmt.Sprintf("%s-%d", of.name, i+1))))
		}
		process, err := testenv.Start(ctx, cmd, io.Discard, baseline.Ready)
		if err != nil {
			return f, err
		}
		f = append(f, process)
	}
	return f, nil
}

func (f fleet) stop() {
	for _, process := range f {
		if err := process.Stop(testenv.StopTimeout); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
	}
}

// spent is the processor time of the processes.
func (f fleet) spent() (total time.Duration, err error) {
	for _, process := range f {
		d, failed := processorTime(process.Pid())
		total, err = total+d, errors.Join(err, failed)
	}
	return total, err
}
