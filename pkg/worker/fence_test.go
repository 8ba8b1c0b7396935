package worker_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/idempotency"
	"payonce/pkg/idempotency/redis"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/pkg/worker"
	"payonce/test/redistest"
)

// stopped is a testbed whose workers' clocks stand still, as those of a machine that a hypervisor pauses. Only the claim
// store's clock moves: the test moves it by pause.
func stopped(t *testing.T) (d *testbed, pause func(time.Duration)) {
	t.Helper()
	server := miniredis.RunT(t)
	d = newTestbed(t, server)
	d.claims = d.claims.(timedStore).Store
	base := time.Now()
	server.SetTime(base)
	d.options.Now = func() time.Time { return base }
	return d, func(by time.Duration) { base := base.Add(by); server.SetTime(base) }
}

// A machine that is paused while it dials sends nothing when it wakes, though its clocks have seen nothing.
func TestAPauseDuringTheDialThatStopsBothClocks(t *testing.T) {
	timing := worker.DefaultTiming()
	left := timing.Lease - timing.SubmitTimeout
	move := func(d *testbed) { // another worker's event
		p := d.log.now("o-1")
		p.Status, p.Reason = payment.InDoubt, &payment.Reason{Code: "x"}
		p.Revision++
		d.log.put(p)
	}
	forge := func(d *testbed) { // the record of before, with a lease that runs on
		key := redis.DefaultPrefix + ":{" + acme + ":o-1}"
		d.server.HSet(key, "lease_until", fmt.Sprint(d.options.Now().Add(100*timing.Lease).UnixMilli()))
	}
	for name, c := range map[string]struct {
		during   func(d *testbed, pause func(time.Duration))
		required bool
		sent     int
	}{
		"forged":                   {func(d *testbed, pause func(time.Duration)) { pause(2 * timing.Lease); forge(d) }, false, 1},
		"forged, moved on":         {func(d *testbed, pause func(time.Duration)) { pause(2 * timing.Lease); forge(d); move(d) }, false, 0},
		"forged, required":         {func(d *testbed, pause func(time.Duration)) { pause(2 * timing.Lease); forge(d); move(d) }, true, 0},
		"a short pause":            {func(_ *testbed, pause func(time.Duration)) { pause(left - time.Second) }, false, 1},
		"no time for the answer":   {func(_ *testbed, pause func(time.Duration)) { pause(left) }, false, 0},
		"too long for the lease":   {func(_ *testbed, pause func(time.Duration)) { pause(left + time.Second) }, false, 0},
		"past the lease":           {func(_ *testbed, pause func(time.Duration)) { pause(2 * timing.Lease) }, false, 0},
		"another has it":           {func(d *testbed, pause func(time.Duration)) { pause(timing.Lease + time.Second); another(t, d) }, false, 0},
		"Redis forgot":             {func(d *testbed, _ func(time.Duration)) { d.server.FlushAll() }, false, 1},
		"Redis forgot, moved on":   {func(d *testbed, _ func(time.Duration)) { d.server.FlushAll(); move(d) }, false, 0},
		"Redis is away":            {func(d *testbed, _ func(time.Duration)) { d.server.SetError("LOADING") }, false, 1},
		"Redis is away, moved on":  {func(d *testbed, _ func(time.Duration)) { d.server.SetError("LOADING"); move(d) }, false, 0},
		"Redis is away, required":  {func(d *testbed, _ func(time.Duration)) { d.server.SetError("LOADING") }, true, 0},
		"forgot, another's record": {func(d *testbed, _ func(time.Duration)) { d.server.FlushAll(); another(t, d) }, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			d, pause := stopped(t)
			d.options.ClaimsRequired = c.required
			d.provider.onDial = func() { c.during(d, pause) }
			d.start().Command(context.Background(), d.message(d.order("o-1")))
			d.sent("o-1", c.sent, c.sent)
		})
	}
}

// another worker takes the order.
func another(t *testing.T, d *testbed) {
	t.Helper()
	claim, err := d.claims.Claim(context.Background(), d.order("o-1").Ref, idempotency.Request{
		Owner: "another", Lease: time.Minute, Retention: time.Hour,
	})
	if err != nil || claim.Outcome != idempotency.Won {
		t.Errorf("another worker gets %+v, %v", claim, err)
	}
}

// onRedis is a testbed with its claims in a real Redis.
func onRedis(t *testing.T, server *redistest.Server) *testbed {
	t.Helper()
	client, err := redis.NewClient(redis.Config{Addresses: []string{server.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	d := newTestbed(t, nil)
	d.claims = redis.New(client, redis.Options{})
	return d
}

// The same with a real Redis. Its clock cannot be moved, so the end of the lease is moved into its past.
func TestAPauseThatARealRedisSees(t *testing.T) {
	server := redistest.Start(t)
	for name, taken := range map[string]bool{"the lease has ended": false, "another has the order": true} {
		t.Run(name, func(t *testing.T) {
			server.FlushAll()
			d := onRedis(t, server)
			base := time.Now()
			d.options.Now = func() time.Time { return base }
			d.provider.onDial = func() {
				server.MustDo("HSET " + redis.DefaultPrefix + ":{" + acme + ":o-1} lease_until 1")
				if taken {
					another(t, d)
				}
			}
			d.start().Command(context.Background(), d.message(d.order("o-1")))
			d.sent("o-1", 0, 0)
		})
	}
}

// While a machine is paused in its dial, another worker finds out that the provider does not know the order, sends it, and it is paid. Who
// may write to Redis makes the record of the paused worker again, with a lease that runs on. The log lets nothing leave when it wakes.
func TestAForgedRecordLetsNoSecondPaymentLeave(t *testing.T) {
	server := redistest.Start(t)
	d := onRedis(t, server)
	base, later := time.Now(), time.Duration(0)
	d.options.Now = func() time.Time { return base }
	paused := d.start()
	d.options.Now = func() time.Time { return base.Add(later) }
	key := redis.DefaultPrefix + ":{" + acme + ":o-1}"
	d.provider.onDial = func() {
		d.provider.onDial = func() {}
		owner, fence := server.MustDo("HGET "+key+" owner"), server.MustDo("HGET "+key+" fence")
		server.MustDo("HSET " + key + " lease_until 1") // Redis's clock cannot be moved
		other := d.start()
		for d.provider.of("o-1").submitted == 0 {
			if later += d.options.Timing.LookupMax; later > 24*time.Hour {
				t.Fatal("the other worker did not send the order")
			}
			other.Command(context.Background(), d.message(d.order("o-1")))
		}
		server.MustDo(fmt.Sprintf("HSET %s owner %s fence %s lease_until %d", key, owner, fence, time.Now().Add(time.Hour).UnixMilli()))
	}
	paused.Command(context.Background(), d.message(d.order("o-1")))
	d.sent("o-1", 1, 1)
}

// A suspension during the dial, which stops the monotonic clock alone, is seen by the wall clock. The check of the lease
// is the last one, whatever the others took.
func TestTheLeaseIsCheckedLast(t *testing.T) {
	for name, at := range map[string]string{"during the dial": "dial", "during the question to Redis": "verify"} {
		t.Run(name, func(t *testing.T) {
			d, _ := stopped(t)
			base, passed := d.options.Now(), time.Duration(0)
			d.options.Now = func() time.Time { return base.Add(passed) }
			step := func(is string) {
				if is == at {
					passed = d.options.Timing.Lease - d.options.Timing.SubmitTimeout + 1
				}
			}
			d.provider.onDial = func() { step("dial") }
			p := d.start()
			p.ports.fault = func(_ int, is string) fault { step(is); return fine }
			d.want(p.Command(context.Background(), d.message(d.order("o-1"))), queue.Park)
			d.sent("o-1", 0, 0)
			d.log.want("o-1", payment.Submitting, payment.Parked)
			d.reason("o-1", payment.ReasonInterrupted, "")
		})
	}
}

// The clocks may have missed time before the claim store or the log is asked: its answer counts for as long as it was
// allowed to take, by either clock, and no longer.
func TestAnOldAnswerDoesNotCount(t *testing.T) {
	timing := worker.DefaultTiming()
	long := timing.Lease - timing.SubmitTimeout
	for name, c := range map[string]struct {
		redisDown bool
		takes     time.Duration // the answer
		sent      int
	}{
		"of Redis, fresh":   {false, time.Second, 1},
		"of Redis, old":     {false, time.Second + 1, 0},
		"of the log, fresh": {true, timing.SubmitTimeout, 1},
		"of the log, old":   {true, timing.SubmitTimeout + 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			d, _ := stopped(t)
			base, passed, dialed := d.options.Now(), time.Duration(0), false
			d.options.Now = func() time.Time { return base.Add(passed) }
			question := "verify"
			if c.redisDown {
				question = "last"
			}
			d.provider.onDial = func() {
				dialed, passed = true, -long // the wall clock is set back, so that the lease seems to have begun just now
				if c.redisDown {
					d.server.SetError("LOADING")
				}
			}
			p := d.start()
			p.ports.fault = func(_ int, is string) fault {
				if dialed && is == question {
					dialed, passed = false, passed+c.takes
				}
				return fine
			}
			p.Command(context.Background(), d.message(d.order("o-1")))
			d.sent("o-1", c.sent, c.sent)
		})
	}
}

// On a connection that was open already only the clocks are looked at, unless the configuration wants more.
func TestAKeptConnectionIsFencedAsConfigured(t *testing.T) {
	for _, always := range []bool{false, true} {
		t.Run(fmt.Sprint(always), func(t *testing.T) {
			inBubble(t, func(d *testbed) {
				d.options.FenceKeptConnections = always
				p := d.start()
				d.want(p.Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
				if asked := p.ports.count("verify") == 1; asked != always {
					t.Errorf("Redis was asked: %v, want %v", asked, always)
				}
			})
		})
	}
}

// A replica of the log that does not have the intent yet is asked again. One that never gets it lets nothing leave.
func TestAReplicaBehindTheIntent(t *testing.T) {
	for name, sent := range map[string]int{"for a moment": 1, "for ever": 0} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(d *testbed) {
				p := d.start()
				behind := func() error { return events.ErrNoPayment }
				d.provider.onDial = func() {
					if p.ports.onRead = behind; sent == 0 {
						p.ports.fault = func(_ int, name string) fault {
							p.ports.onRead = behind
							return fine
						}
					}
				}
				d.want(p.Command(context.Background(), d.message(d.order("o-1"))), map[int]queue.Kind{1: queue.Done, 0: queue.Park}[sent])
				d.sent("o-1", sent, sent)
			})
		})
	}
}

// A hanging Redis is not waited for until the call's time is over.
func TestAHangingFence(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.claims = hangingFence{d.claims}
		d.provider.onDial = func() {}
		began := time.Now()
		d.want(d.start().Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("it took %s", took)
		}
		d.sent("o-1", 1, 1)
	})
}

type hangingFence struct{ idempotency.Store }

func (hangingFence) Verify(ctx context.Context, _ payment.Ref, _ idempotency.Held, _ time.Duration) error {
	<-ctx.Done()
	return ctx.Err()
}

// What is sent again goes over a connection of its own: its answer can be no other's.
func TestWhatIsSentAgainHasItsOwnConnection(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.provider.script("o-1", reply{err: &connectors.Error{Code: payment.ReasonIndeterminate, Evidence: "on a used connection"}}, reply{err: errRefused})
		d.want(d.settle(d.start(), d.message(d.order("o-1"))), queue.Done)
		if got := fmt.Sprint(d.provider.alone); got != "[false true]" {
			t.Errorf("connections of their own: %s", got)
		}
		if p := d.log.now("o-1"); p.Status != payment.Failed {
			t.Errorf("the payment is %s", p.Status)
		}
	})
}
