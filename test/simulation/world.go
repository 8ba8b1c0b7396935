package simulation

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
	"payonce/pkg/worker"
)

// acme is the provider of all runs.
const acme = "acme-kr"

// ackWait is after which time the queue redelivers a message.
const ackWait = 90 * time.Second

// quiet is how long a run goes on after the last fault: longer than everything that waits.
const quiet = 3 * time.Hour

// epoch is where the virtual clock begins.
var epoch = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// timing is the engine's. RetryFor and RetryInitial are the only durations that a library counts in real
// time: the pause is a nanosecond, and not RetryFor but the lease, in virtual time, ends the retries.
func timing() worker.Timing {
	return worker.Timing{
		SubmitTimeout: 15 * time.Second, RetryFor: 20 * time.Second, RetryInitial: time.Nanosecond, Lease: time.Minute,
		LookupMin: 5 * time.Second, LookupMax: 15 * time.Minute, ParkMin: 10 * time.Second, ParkMax: 10 * time.Minute,
		ResumeSpread: 10 * time.Minute, Retention: 90 * 24 * time.Hour, ClaimRetention: 90 * 24 * time.Hour,
		UnknownOrderFor: time.Hour, ClockBound: 2 * maxSkew,
	}
}

// settling is the shortest delay that the engine takes with this timing.
func settling() time.Duration { return timing().Settling().Least() }

// world is one run.
type world struct {
	rng      *rand.Rand
	rates    rates
	trouble  float64 // the probability that something happens to a process at a call
	happened [faults]int
	mutant   Mutant
	now      time.Duration // since epoch
	calm     time.Duration // when faults end
	ids      int
	current  *task
	pool

	log       *memoryLog
	claims    *memoryClaims
	hours     map[payment.Operation]*hours
	limits    spared
	outage    outage
	batching  batching
	parked    map[payment.Ref]*schedule
	steps     []*step              // of the lookup schedule
	resumed   map[time.Time]*order // by when it is to go on after closed hours
	messages  []*message
	dead      []deadLetter
	notices   []notice
	links     []*link
	processes []*process
	able      []*process // buffer of anyProcess
	orders    []*order

	bytes    bool // events and commands are read from their bytes, see values.go
	tracing  bool
	trace    []string
	problems []string

	traits               connectors.Traits // of the provider, without what follows
	refusalLeavesNoOrder bool              // the provider promises it
	fenceKept            bool              // the claim store is asked before each request, also on a connection that stood already
}

// newWorld draws everything that happens by itself in a run.
func newWorld(seed uint64, mutant Mutant, tracing bool) *world {
	w := &world{
		rng: rand.New(rand.NewPCG(seed, 0x9E3779B97F4A7C15)), mutant: mutant, tracing: tracing, bytes: seed%bytesEvery == 0,
		parked: map[payment.Ref]*schedule{}, resumed: map[time.Time]*order{},
	}
	w.takePool()
	w.traits = connectors.Traits{
		Kind: "simulated", Operations: payment.Operations(), Currencies: []string{"KRW"}, MaxOrderLength: 64,
		Methods:       map[payment.Operation][]string{payment.Deposit: {"", methodPage}},
		SettlingDelay: settling(), PageGrace: pageGrace,
	}
	w.rates = drawRates(w.rng)
	w.drawBatching(seed)
	w.trouble = w.rates.sum()
	w.calm = w.between(5*time.Minute, 20*time.Minute)
	w.hours = map[payment.Operation]*hours{payment.Deposit: w.drawHours(), payment.Payout: w.drawHours()}
	w.limits, w.outage, w.refusalLeavesNoOrder = w.drawLimits(), w.drawOutage(), w.rng.IntN(3) == 0
	w.fenceKept = w.rng.IntN(2) == 0
	w.log, w.claims = newMemoryLog(w), newMemoryClaims(w)
	for range 1 + w.rng.IntN(3) {
		w.startProcess()
	}
	for n := range [...]int{1, 2, 3, 3}[w.rng.IntN(4)] {
		w.order(n)
	}
	if w.chance(webhookOrphan) {
		w.orphanWebhook()
	}
	w.planClaims()
	return w
}

// run plays the world to its end.
func (w *world) run() {
	for len(w.agenda.entries) > 0 && len(w.problems) == 0 {
		next := w.agenda.next()
		if next.at > w.calm+quiet {
			break
		}
		if w.now = next.at; next.resumed != nil {
			w.advance(next.resumed)
		} else {
			next.do()
		}
	}
	for _, p := range w.processes {
		w.kill(p)
	}
	if len(w.problems) == 0 {
		w.judge()
	}
	w.returnPool()
}

// chance draws what belongs to the world, at any time.
func (w *world) chance(f fault) bool {
	happens := w.rates[f] > 0 && w.rng.Float64() < w.rates[f]
	if happens {
		w.happened[f]++
	}
	return happens
}

// fails draws a fault, as long as there are any.
func (w *world) fails(f fault) bool { return w.now < w.calm && w.chance(f) }

// between draws a duration.
func (w *world) between(from, to time.Duration) time.Duration {
	return from + time.Duration(w.rng.Int64N(int64(to-from)+1))
}

// latency of a call that nothing delays.
func (w *world) latency() time.Duration { return w.between(time.Millisecond, 80*time.Millisecond) }

func (w *world) time() time.Time { return epoch.Add(w.now) }

func (w *world) id() string {
	w.ids++
	return "id-" + strconv.Itoa(w.ids)
}

func (w *world) note(format string, args ...any) {
	if w.tracing {
		w.trace = append(w.trace, fmt.Sprintf("%12s  ", w.now)+fmt.Sprintf(format, args...))
	}
}

// problem writes down that a promise was broken.
func (w *world) problem(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.problems = append(w.problems, text)
	w.note("PROBLEM %s", text)
}
