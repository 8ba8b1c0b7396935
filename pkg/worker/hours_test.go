package worker_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric/noop"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"payonce/pkg/calendar"
	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/pkg/worker"
)

// The bubble begins on Saturday, 2000-01-01, 09:00 in Korea.
var (
	kst      = time.FixedZone("KST", 9*3600)
	friday   = time.Date(2000, 1, 7, 23, 59, 0, 0, kst) // closed from here
	monday   = time.Date(2000, 1, 10, 8, 0, 0, 0, kst)  // open from here
	spreadTo = monday.Add(10 * time.Minute)
)

// atHours runs a test from an instant on, at a provider with the hours of ECommPay.
func atHours(t *testing.T, at time.Time, policy worker.ClosedPolicy, test func(d *testbed), edit ...func(*calendar.Config)) {
	t.Helper()
	inBubble(t, func(d *testbed) {
		config := calendar.ECommPayKorea()
		for _, e := range edit {
			e(&config)
		}
		hours, err := calendar.Parse(config)
		if err != nil {
			t.Fatal(err)
		}
		d.options.Opening = func(provider string, op payment.Operation) worker.Opening {
			if provider != acme || op != payment.Deposit {
				return worker.Opening{}
			}
			return worker.Opening{Hours: hours, Closed: policy}
		}
		time.Sleep(time.Until(at))
		test(d)
	})
}

// The time of a weekend is no open time of a payment that waits for Monday.
func TestTimeToOutcomeCountsOpenTime(t *testing.T) {
	reader := sdk.NewManualReader()
	otel.SetMeterProvider(sdk.NewMeterProvider(sdk.WithReader(reader)))
	t.Cleanup(func() { otel.SetMeterProvider(noop.NewMeterProvider()) })
	atHours(t, friday.Add(-time.Hour), "", func(d *testbed) {
		d.lookupSays(paid(), nil)
		d.pendingFor("o-1", 0)
		time.Sleep(time.Until(monday.Add(time.Hour)))
		d.want(d.start().Overdue(context.Background(), d.event("o-1"), threshold), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.Pending, payment.Settled)
	})
	for name, want := range map[string]float64{worker.MetricOpenTimeToOutcome: 7200, worker.MetricTimeToOutcome: monday.Sub(friday).Seconds() + 7200} {
		if got := sumOf(t, reader, name); got != want {
			t.Errorf("%s: %v s, want %v s", name, got, want)
		}
	}
}

// sumOf returns the sum of a histogram of seconds, over all labels.
func sumOf(t *testing.T, reader sdk.Reader, name string) float64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if h, ok := m.Data.(metricdata.Histogram[float64]); ok && m.Name == name {
				for _, point := range h.DataPoints {
					sum += point.Sum
				}
			}
		}
	}
	return sum
}

func TestFridayNightIsSentOnMondayMorning(t *testing.T) {
	atHours(t, friday, "", func(d *testbed) {
		p, m := d.start(), d.message(d.order("o-1"))
		v := p.Command(context.Background(), m)
		d.want(v, queue.Park)
		d.log.want("o-1", payment.Parked)
		d.reason("o-1", payment.ReasonClosed, "")
		is := d.log.now("o-1")
		if v.At.Before(monday) || !v.At.Before(spreadTo) || !is.ResumeAt.Equal(v.At) || is.Attempts != 0 {
			t.Errorf("parked until %s, the log says %s with %d attempts", v.At.In(kst), is.ResumeAt.In(kst), is.Attempts)
		}
		d.sent("o-1", 0, 0)
		d.want(d.settle(p, m), queue.Done)
		d.log.want("o-1", payment.Parked, payment.Submitting, payment.Pending)
		if at := d.provider.of("o-1").at; !at.Equal(v.At) {
			t.Errorf("sent at %s, parked until %s", at.In(kst), v.At.In(kst))
		}
	})
}

func TestHoursAreExact(t *testing.T) {
	for name, c := range map[string]struct {
		at   time.Time
		sent int
	}{
		"before the opening": {monday.Add(-1), 0}, "the opening": {monday, 1},
		"before the closing": {friday.Add(-1), 1}, "the closing": {friday, 0},
	} {
		t.Run(name, func(t *testing.T) {
			atHours(t, c.at, worker.ParkClosed, func(d *testbed) {
				d.options.Timing.ResumeSpread = 0
				v := d.start().Command(context.Background(), d.message(d.order("o-1")))
				d.sent("o-1", c.sent, c.sent)
				if c.sent == 0 && !v.At.Equal(monday) {
					t.Errorf("%+v, want parked until %s", v, monday)
				}
			})
		})
	}
}

func TestOtherOperationsHaveTheirOwnHours(t *testing.T) {
	atHours(t, friday, worker.ParkClosed, func(d *testbed) {
		cmd := d.order("o-1")
		cmd.Operation = payment.Payout
		d.want(d.start().Command(context.Background(), d.message(cmd)), queue.Done)
		d.sent("o-1", 1, 1)
	})
}

func TestTheMarginBeforeClosingIsClosed(t *testing.T) {
	atHours(t, friday.Add(-5*time.Minute), worker.ParkClosed, func(d *testbed) {
		d.want(d.start().Command(context.Background(), d.message(d.order("o-1"))), queue.Park)
		d.sent("o-1", 0, 0)
	}, func(c *calendar.Config) { c.MarginBeforeClosing = 5 * time.Minute })
}

// Also after Redis and the worker are gone, an order keeps its place.
func TestResumptionIsSpread(t *testing.T) {
	atHours(t, friday, worker.ParkClosed, func(d *testbed) {
		var minutes [10]int
		for n := range 500 {
			m := d.message(d.order(fmt.Sprintf("D-%05d", n)))
			v := d.start().Command(context.Background(), m)
			at := v.At.Sub(monday)
			if at < 0 || at >= 10*time.Minute {
				t.Fatalf("order %d: %+v", n, v)
			}
			minutes[at/time.Minute]++
		}
		for i, count := range minutes {
			if count < 25 || count > 80 {
				t.Errorf("minute %d: %d of 500", i, count)
			}
		}
	})
	var places [2]time.Time
	for i := range places {
		atHours(t, friday.Add(time.Duration(i)*time.Hour), worker.ParkClosed, func(d *testbed) {
			places[i] = d.start().Command(context.Background(), d.message(d.order("o-1"))).At
		})
	}
	if !places[0].Equal(places[1]) || places[0].Equal(monday) {
		t.Errorf("the same order resumes at %s and at %s", places[0], places[1])
	}
}

func TestTheSpreadStaysWithinHoursAndTimeout(t *testing.T) {
	short := func(c *calendar.Config) { c.Hours = "08:00-08:02" }
	for name, c := range map[string]struct {
		edit    func(*calendar.Config)
		expires time.Duration
	}{
		"open for two minutes": {short, 0},
		"patient until 08:02":  {func(*calendar.Config) {}, 2 * time.Minute},
		"patient for 1 ns":     {func(*calendar.Config) {}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			atHours(t, friday, worker.ParkClosed, func(d *testbed) {
				p := d.start()
				for n := range 50 {
					cmd := d.order(fmt.Sprintf("D-%d", n))
					if c.expires > 0 {
						cmd.ExpiresAt = monday.Add(c.expires)
					}
					v := p.Command(context.Background(), d.message(cmd))
					if v.Kind != queue.Park || v.At.Before(monday) || v.At.Sub(monday) > time.Minute || c.expires == 1 && !v.At.Equal(monday) {
						t.Errorf("%s: %+v", cmd.Order, v)
					}
				}
			}, c.edit)
		})
	}
}

func TestNobodyWaitsBeyondTheirTimeout(t *testing.T) {
	for _, policy := range []worker.ClosedPolicy{"", worker.ParkClosed, "nonsense"} {
		atHours(t, friday, policy, func(d *testbed) {
			cmd := d.order("o-1")
			cmd.ExpiresAt = monday
			d.want(d.start().Command(context.Background(), d.message(cmd)), queue.Done)
			d.log.want("o-1", payment.Failed)
			d.reason("o-1", payment.ReasonExpired, "")
			d.sent("o-1", 0, 0)
		})
	}
}

func TestRejectedWhileClosed(t *testing.T) {
	atHours(t, friday, worker.RejectClosed, func(d *testbed) {
		p, m := d.start(), d.message(d.order("o-1"))
		for range 2 {
			d.want(p.Command(context.Background(), m), queue.Done)
		}
		d.log.want("o-1", payment.Failed)
		d.reason("o-1", payment.ReasonClosed, "")
		d.sent("o-1", 0, 0)
	})
}

func TestSentWhileClosed(t *testing.T) {
	atHours(t, friday, worker.SendClosed, func(d *testbed) {
		d.want(d.start().Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.Pending)
		d.sent("o-1", 1, 1)
	})
}

func TestInvalidIsNotParked(t *testing.T) {
	atHours(t, friday, worker.ParkClosed, func(d *testbed) {
		d.want(d.start().Command(context.Background(), d.message(d.order("bad-1"))), queue.Dead, events.DeadInvalid)
		d.log.want("bad-1", payment.Failed)
	})
}

func TestReleasedEarlyIsParkedAgain(t *testing.T) {
	atHours(t, friday, worker.ParkClosed, func(d *testbed) {
		m := d.message(d.order("o-1"))
		first := d.start().Command(context.Background(), m)
		time.Sleep(time.Hour)
		if v := d.start().Command(context.Background(), m); !v.At.Equal(first.At) {
			t.Errorf("%+v, then %+v", first, v)
		}
		time.Sleep(time.Until(monday.Add(16 * time.Hour))) // the queue was so long that it is Monday night
		d.want(d.start().Command(context.Background(), m), queue.Park)
		d.log.want("o-1", payment.Parked, payment.Parked)
		d.sent("o-1", 0, 0)
		d.want(d.settle(d.start(), m), queue.Done)
		d.sent("o-1", 1, 1)
	})
}

func TestParkedForAnotherReasonWaitsForTheOpeningToo(t *testing.T) {
	atHours(t, friday.Add(-time.Minute), worker.ParkClosed, func(d *testbed) {
		d.provider.script("o-1", reply{err: errThrottled}) // for 90 s
		d.want(d.settle(d.start(), d.message(d.order("o-1"))), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.Parked, payment.Parked, payment.Submitting, payment.Pending)
		if at := d.provider.of("o-1").at; at.Before(monday) {
			t.Errorf("sent at %s", at.In(kst))
		}
	})
}

func TestNothingIsSentAgainWhileClosed(t *testing.T) {
	atHours(t, friday.Add(-time.Minute), worker.ParkClosed, func(d *testbed) {
		d.provider.script("o-1", reply{err: errTimedOut})
		p, m := d.start(), d.message(d.order("o-1"))
		for time.Now().Before(monday) {
			time.Sleep(d.want(p.Command(context.Background(), m), queue.Park))
		}
		d.log.want("o-1", payment.Submitting, payment.InDoubt)
		d.sent("o-1", 1, 0)
		d.want(d.settle(p, m), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.InDoubt, payment.InDoubt, payment.InDoubt, payment.Submitting, payment.Pending)
		d.sent("o-1", 2, 1)
	})
}

// A worker that ends on Friday night leaves a payment behind that is in doubt over the weekend, and says why.
func TestInterruptedBeforeTheWeekendIsInDoubt(t *testing.T) {
	atHours(t, friday.Add(-time.Second), worker.ParkClosed, func(d *testbed) {
		m := d.message(d.order("o-1"))
		p := d.start()
		p.ports.crashAt = worker.StepIntended
		if _, crashed := p.command(context.Background(), m); !crashed {
			t.Fatal("it did not crash")
		}
		time.Sleep(d.options.Timing.Lease)
		q := d.start()
		d.want(q.Command(context.Background(), m), queue.Park)
		d.log.want("o-1", payment.Submitting, payment.InDoubt)
		d.reason("o-1", payment.ReasonInterrupted, "")
		if n := q.ports.count("lookup"); n != 0 {
			t.Errorf("%d look-ups while the provider is closed", n)
		}
		d.want(d.settle(d.start(), m), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.InDoubt, payment.InDoubt, payment.InDoubt, payment.Submitting, payment.Pending)
		d.sent("o-1", 1, 1)
	})
}

// What the provider learned over the weekend is seen before anything is sent.
func TestFoundAfterTheWeekendIsNotSentAgain(t *testing.T) {
	atHours(t, friday.Add(-time.Minute), worker.ParkClosed, func(d *testbed) {
		d.provider.script("o-1", reply{execute: true, err: errTimedOut})
		d.provider.hidden = time.Hour // far longer than it promises
		d.want(d.settle(d.start(), d.message(d.order("o-1"))), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.InDoubt, payment.Pending)
		d.sent("o-1", 1, 1)
	})
}

// What was unknown twice before the weekend is asked for once more after it.
func TestUnknownBeforeTheWeekendIsNotEnough(t *testing.T) {
	atHours(t, friday.Add(-5*time.Minute), worker.ParkClosed, func(d *testbed) {
		d.provider.script("o-1", reply{err: errTimedOut})
		p, m := d.start(), d.message(d.order("o-1"))
		for d.log.now("o-1").NotFound < 2 {
			if d.log.now("o-1").NotFound == 1 {
				time.Sleep(time.Until(friday.Add(-time.Second)))
				d.provider.takes = 2 * time.Second // the answer comes after the closing
			}
			time.Sleep(d.want(p.Command(context.Background(), m), queue.Park))
		}
		d.sent("o-1", 1, 0)
		lookups := d.provider.lookups
		d.want(d.settle(p, m), queue.Done)
		d.sent("o-1", 2, 1)
		if d.provider.lookups != lookups+1 {
			t.Errorf("%d look-ups before it was sent again", d.provider.lookups-lookups)
		}
	})
}

// Where payments wait for the opening, nothing that a look-up says while it is closed leads to anything.
func TestTheScheduleCountsOpenTime(t *testing.T) {
	for _, policy := range []worker.ClosedPolicy{worker.ParkClosed, worker.RejectClosed, worker.SendClosed} {
		t.Run(string(policy), func(t *testing.T) {
			atHours(t, friday.Add(-10*time.Minute), policy, func(d *testbed) {
				passed := time.Time.Sub
				if hours := d.options.Opening(acme, payment.Deposit).Hours; policy == worker.ParkClosed {
					passed = func(to, from time.Time) time.Duration { return hours.OpenDuration(from, to) }
				}
				var asked []time.Time
				d.provider.script("o-1", reply{execute: true, err: errTimedOut})
				d.provider.lookup = func(connectors.Query) (payment.Observation, error) {
					asked = append(asked, time.Now())
					return payment.Observation{}, errPlain
				}
				p, m := d.start(), d.message(d.order("o-1"))
				began := time.Now()
				for time.Now().Before(monday.Add(time.Hour)) {
					time.Sleep(d.want(p.Command(context.Background(), m), queue.Park))
				}
				for i, at := range asked[1:] {
					if got, want := passed(at, asked[i]), min(max(passed(asked[i], began)/2, 5*time.Second), 15*time.Minute); got != want {
						t.Errorf("asked at %s and at %s, %s later, want %s", asked[i].In(kst), at.In(kst), got, want)
					}
					if policy == worker.ParkClosed && !at.Before(friday) && at.Before(monday) {
						t.Errorf("asked at %s", at.In(kst))
					}
				}
				if last := asked[len(asked)-1]; last.Before(monday) {
					t.Errorf("asked last at %s", last.In(kst))
				}
				d.log.want("o-1", payment.Submitting, payment.InDoubt)
			})
		})
	}
}

func TestProvenUnknownIsRefusedWhereItMayNotWait(t *testing.T) {
	for name, c := range map[string]struct {
		policy  worker.ClosedPolicy
		expires time.Time
		want    string
	}{
		"rejected": {worker.RejectClosed, time.Time{}, payment.ReasonClosed}, "expires": {worker.ParkClosed, monday, payment.ReasonExpired},
	} {
		t.Run(name, func(t *testing.T) {
			atHours(t, friday.Add(-time.Minute), c.policy, func(d *testbed) {
				cmd := d.order("o-1")
				cmd.ExpiresAt = c.expires
				d.provider.script("o-1", reply{err: errTimedOut})
				d.want(d.settle(d.start(), d.message(cmd)), queue.Done)
				d.log.want("o-1", payment.Submitting, payment.InDoubt, payment.InDoubt, payment.InDoubt, payment.Failed)
				d.reason("o-1", c.want, "")
				d.sent("o-1", 1, 0)
			})
		})
	}
}

func TestAProviderThatNeverOpensRefuses(t *testing.T) {
	atHours(t, friday, worker.ParkClosed, func(d *testbed) {
		d.want(d.start().Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
		d.log.want("o-1", payment.Failed)
		d.reason("o-1", payment.ReasonClosed, "")
	}, func(c *calendar.Config) {
		for n := range 500 {
			c.Closed = append(c.Closed, friday.AddDate(0, 0, n).Format(time.DateOnly))
		}
		c.ClosedKnownUntil = "2002-01-01"
	})
}

// The same order number at two accounts: each provider has its own spread.
func TestEachProviderHasItsOwnSpread(t *testing.T) {
	atHours(t, friday, worker.ParkClosed, func(d *testbed) {
		of := d.options.Opening
		d.options.Opening = func(_ string, op payment.Operation) worker.Opening { return of(acme, op) }
		other := d.order("o-1")
		other.Provider = "silent"
		p := d.start()
		a, b := p.Command(context.Background(), d.message(d.order("o-1"))), p.Command(context.Background(), d.message(other))
		if d.want(b, queue.Park); a.At.Equal(b.At) {
			t.Errorf("both at %s", a.At)
		}
	})
}
