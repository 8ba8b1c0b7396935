package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/test/jetstreamtest"
	"payonce/test/natstest"
	"payonce/test/testenv"
)

// marks are kept in memory, and can be silent.
type marks struct {
	mu     sync.Mutex
	kept   events.LogMark
	silent bool
	asked  int
}

func (m *marks) Mark(context.Context) (events.LogMark, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked++
	if m.silent {
		return events.LogMark{}, errors.New("silent")
	}
	return m.kept, nil
}

func (m *marks) Raise(_ context.Context, now events.LogMark, accepted time.Time) (events.LogMark, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kept.Lost(now, accepted) {
		return m.kept, false, nil
	}
	m.kept = now
	return now, true, nil
}

func (m *marks) set(change func(*marks)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(m)
}

// accept is what payctl log accept writes.
func accept(t *testing.T, c *admin.Conn) {
	t.Helper()
	end, err := c.LogEnd(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, stage := range []events.Stage{events.Intended, events.Finished} {
		err := c.Audit(testContext(t), events.AuditRecord{
			ID: "accepted-" + time.Now().String(), Stage: stage, Action: events.ActionAccept, Provider: events.NoProvider, By: "kim", Reason: "test", At: time.Now(),
			Log: end.Log, LogSequence: end.Sequence,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// lost reports whether the connection says that the log lost its past, with what to do.
func lost(c *admin.Conn) bool {
	err := c.Ready()
	return errors.Is(err, jetstream.ErrLogLost) && strings.Contains(err.Error(), "payctl log accept")
}

// A log that ends before its mark takes no event and delivers nothing, until a person accepts it.
func TestALogThatEndsBeforeItsMark(t *testing.T) {
	server, c := start(t)
	mustAppend(t, c, paymentOf(ref("a"), payment.Submitting), 0)
	end, err := c.LogEnd(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	m := &marks{kept: events.LogMark{Log: end.Log, Sequence: end.Sequence + 1, At: end.At}}
	worker := connect(t, server.URL(), testConfig())
	guarded := make(chan error, 1)
	go func() { guarded <- worker.GuardLog(testContext(t), m) }()
	eventually(t, "not ready", func() bool { return lost(worker) })
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := worker.Append(short, paymentOf(ref("b"), payment.Submitting), 0); !errors.Is(err, jetstream.ErrLogLost) {
		t.Errorf("append: %v", err)
	}
	delivered := make(chan payment.Ref, 10)
	stop := consuming(t, worker, 1, func(_ context.Context, m events.Message) queue.Verdict {
		r, _ := events.SubjectRef(m.Subject)
		delivered <- r
		return queue.Acknowledge()
	})
	defer stop()
	publish(t, c, ref("c"))
	asked := func() (n int) { m.set(func(m *marks) { n = m.asked }); return n }
	for before := asked(); asked() < before+2; {
		select {
		case r := <-delivered:
			t.Fatalf("%s was delivered", r)
		case err := <-guarded:
			t.Fatalf("it may be worked with: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	accept(t, c)
	if err := receive(t, guarded, "the end of the wait"); err != nil {
		t.Fatal(err)
	}
	if r := receive(t, delivered, "the command"); r != ref("c") {
		t.Errorf("delivered %s", r)
	}
	if _, err := worker.Append(testContext(t), paymentOf(ref("b"), payment.Submitting), 0); err != nil {
		t.Error(err)
	}
	eventually(t, "ready", func() bool { return worker.Ready() == nil })
	m.set(func(m *marks) { m.kept.Sequence += 100 }) // restored once more: the acceptance of before does not count
	eventually(t, "not ready again", func() bool { return lost(worker) })
}

// What this process saw itself counts also where the marks are silent: another log in the place of the first.
func TestAnotherLogIsNoticedWithoutMarks(t *testing.T) {
	server, c := start(t)
	m := &marks{silent: true}
	worker := connect(t, server.URL(), testConfig())
	if err := worker.GuardLog(testContext(t), m); err != nil {
		t.Fatalf("marks that do not answer say nothing: %v", err)
	}
	mustAppend(t, worker, paymentOf(ref("a"), payment.Submitting), 0)
	_, js := foreign(t, server.URL())
	if err := js.DeleteStream(testContext(t), events.StreamPayments); err != nil {
		t.Fatal(err)
	}
	if err := c.EnsureStreams(testContext(t)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "not ready", func() bool { return lost(worker) })
	accept(t, c)
	eventually(t, "ready", func() bool { return worker.Ready() == nil })
}

// overtaken are marks that another worker raises whenever this one has read them: it saw more of the log than this one,
// which asked earlier.
type overtaken struct {
	marks
	others *admin.Conn
	t      *testing.T
	raised int
}

func (o *overtaken) Raise(ctx context.Context, now events.LogMark, accepted time.Time) (events.LogMark, bool, error) {
	seq, err := o.others.Append(ctx, paymentOf(ref(fmt.Sprint("other-", now.Sequence)), payment.Submitting), 0)
	if err != nil {
		o.t.Error(err)
	}
	o.set(func(m *marks) { m.kept = events.LogMark{Log: now.Log, Sequence: seq, At: now.At}; o.raised++ })
	return o.marks.Raise(ctx, now, accepted)
}

// Another worker that sees more of the log between this one's question and its mark is no loss.
func TestAnOlderAnswerIsNoLoss(t *testing.T) {
	server, c := start(t)
	o := &overtaken{others: c, t: t}
	worker := connect(t, server.URL(), testConfig())
	if err := worker.GuardLog(testContext(t), o); err != nil {
		t.Fatal(err)
	}
	eventually(t, "three comparisons", func() (done bool) {
		if err := worker.Ready(); err != nil {
			t.Error(err)
		}
		o.set(func(*marks) { done = o.raised >= 3 })
		return done
	})
}

// ahead are marks of which the first answers say that more was seen than there is.
type ahead struct {
	marks
	answers int
}

func (a *ahead) Mark(ctx context.Context) (events.LogMark, error) {
	m, err := a.marks.Mark(ctx)
	a.set(func(*marks) {
		if a.answers--; a.answers >= 0 {
			m.Sequence++
		}
	})
	return m, err
}

// A leader that knows less for a moment stops the work for that moment, and no operator is alerted.
func TestAMomentaryLossHealsByItself(t *testing.T) {
	server, c := start(t)
	mustAppend(t, c, paymentOf(ref("a"), payment.Submitting), 0)
	end, err := c.LogEnd(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	for answers, told := range map[int]bool{4: false, 5: true} {
		m := &ahead{marks: marks{kept: events.LogMark{Log: end.Log, Sequence: end.Sequence, At: end.At}}, answers: answers}
		var lines testenv.Logs // complete when GuardLog has returned, but the connection logs as well
		o := options(t, server.URL(), testConfig())
		o.Logger = slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelError}))
		worker, err := jetstreamtest.Dial(testContext(t), o)
		if err != nil {
			t.Fatal(err)
		}
		err = worker.GuardLog(testContext(t), m)
		_ = worker.Close()
		if err != nil {
			t.Error(err)
		}
		if got := strings.Contains(lines.String(), "the log lost events"); got != told || m.asked <= answers {
			t.Errorf("after %d answers told is %t, asked %d times\n%s", answers, got, m.asked, &lines)
		}
	}
}

// After each loss of the connection nothing is appended before the log was compared: the broker can be back with a copy.
func TestNothingIsAppendedBeforeTheLogWasComparedAgain(t *testing.T) {
	server, _ := start(t)
	m := &marks{}
	worker := connect(t, server.URL(), testConfig())
	if err := worker.GuardLog(testContext(t), m); err != nil {
		t.Fatal(err)
	}
	server.Stop()
	eventually(t, "the loss is noticed", func() bool { return worker.Ready() != nil })
	m.set(func(m *marks) { m.kept.Sequence += 100 })
	server.Restart()
	short, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := worker.Append(short, paymentOf(ref("a"), payment.Submitting), 0); err == nil {
		t.Errorf("an event was appended; %+v", m)
	}
	eventually(t, "the refusal", func() bool { return lost(worker) })
}

// afterwards are marks that say that more was seen than there is, once something has happened.
type afterwards struct {
	marks
	happened func() bool
}

func (a *afterwards) Mark(ctx context.Context) (events.LogMark, error) {
	m, err := a.marks.Mark(ctx)
	if a.happened() {
		m.Sequence += 100
	}
	return m, err
}

// An append that lost its connection on the way is not repeated before the log was compared either: in an older copy of the log the
// sequence that it expects can be the last one again.
func TestNothingIsAppendedAgainBeforeTheLogWasCompared(t *testing.T) {
	for name, commit := range map[string]string{"alone": jetstream.GroupCommitNever, "in a batch": jetstream.GroupCommitAlways} {
		t.Run(name, func(t *testing.T) {
			server := natstest.StartSynced(t)
			between, cfg := startProxy(t, server.Addr()), testConfig()
			cfg.GroupCommit = commit
			worker, other := connect(t, between.url(), cfg), connect(t, server.URL(), testConfig())
			if err := worker.GuardLog(testContext(t), &afterwards{happened: between.wasCut}); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(testContext(t))
			all := firsts("A", 2)
			for _, a := range all {
				a.ctx = ctx
			}
			cut := func() {
				between.cut("payment.submitting." + all[0].payment.Ref.Provider + "." + all[0].payment.Order + " ")
			}
			noticed := func() {
				eventually(t, "the loss is noticed", func() bool { return lost(worker) })
				cancel()
			}
			if commit == jetstream.GroupCommitAlways {
				appendInBatch(t, worker, all, cut, noticed)
			} else {
				var ended sync.WaitGroup
				cut()
				ended.Go(func() {
					for _, a := range all {
						a.seq, a.err = worker.Append(ctx, a.payment, 0)
					}
				})
				noticed()
				ended.Wait()
			}
			if !between.wasCut() {
				t.Fatal("the connection was not cut: the test proves nothing")
			}
			for _, a := range all {
				if _, _, err := other.Last(testContext(t), a.payment.Ref); a.err == nil || !errors.Is(err, events.ErrNoPayment) {
					t.Errorf("%s: appended: %v, in the log: %v", a.payment.Ref, a.err, err)
				}
			}
		})
	}
}

// Where a mark is later than the broker's clock, because that was ahead or the mark was forged, no acceptance counts: an operator deletes
// the mark, too (docs/operators.md).
func TestAMarkFromTheFuture(t *testing.T) {
	server, c := start(t)
	mustAppend(t, c, paymentOf(ref("a"), payment.Submitting), 0)
	end, err := c.LogEnd(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	m := &marks{kept: events.LogMark{Log: end.Log, Sequence: end.Sequence + 1, At: end.At.Add(24 * time.Hour)}}
	worker := connect(t, server.URL(), testConfig())
	guarded := make(chan error, 1)
	go func() { guarded <- worker.GuardLog(testContext(t), m) }()
	eventually(t, "not ready", func() bool { return lost(worker) })
	accept(t, c)
	asked := func() (n int) { m.set(func(m *marks) { n = m.asked }); return n }
	before := asked()
	eventually(t, "two comparisons", func() bool { return asked() >= before+2 })
	if !lost(worker) {
		t.Error("an acceptance counts that is older than the mark")
	}
	m.set(func(m *marks) { m.kept = events.LogMark{} })
	if err := receive(t, guarded, "the end of the wait"); err != nil {
		t.Fatal(err)
	}
	if err := worker.Ready(); err != nil {
		t.Error(err)
	}
}
