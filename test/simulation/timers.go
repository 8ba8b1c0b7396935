package simulation

import (
	"slices"
	"strings"
	"time"

	"payonce/pkg/calendar"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/reconcile"
)

// maxLate is how late a timer gets an event.
const maxLate = 20 * time.Minute

// schedule begins as early as the configuration allows.
func (w *world) schedule() reconcile.LookupSchedule {
	return reconcile.LookupSchedule{BasicTime: w.mutant.settling(), Threshold: threshold}
}

// threshold is after how much open time a person is alerted to an open payment.
const threshold = time.Hour

// timer reads the events of open payments for one step of the lookup schedule.
type timer struct {
	reconcile.Timer
	life  time.Duration // of the pages that it is for
	after time.Duration
}

// timer returns the timer of a step of the lookup schedule. Timers are made when first needed: many processes end before.
func (p *process) timer(step int) *timer {
	if p.timers == nil {
		p.timers = p.startTimers()
	}
	return &p.timers[step]
}

// startTimers returns the timers of a process, in the order of their names.
func (p *process) startTimers() []timer {
	var engine reconcile.Engine = p.engine
	if p.w.mutant.engine != nil {
		engine = p.w.mutant.engine(engine)
	}
	schedule := p.w.schedule()
	all, err := reconcile.Timers(engine, reconcile.Provider{
		Name: acme, LookupSchedule: schedule, Slots: 1, Pages: reconcile.Pages{Grace: pageGrace, Lives: pageLives()},
		Hours: func(op payment.Operation) calendar.Hours { return p.w.hours[op].engine }, Read: p.w.log.readEvent,
	}, p.clock)
	if err != nil {
		panic(err) // the lookup schedule of this package is not valid
	}
	slices.SortFunc(all, func(a, b reconcile.Timer) int { return strings.Compare(a.Name, b.Name) }) // "1", "2", "page1", "page2", "threshold"
	times, lives := schedule.Times(), pageLives()
	timers := make([]timer, len(all))
	for i := range timers {
		switch t := &timers[i]; {
		case strings.HasPrefix(all[i].Name, "page"):
			*t, lives = timer{all[i], lives[0], pageGrace}, lives[1:]
		default:
			*t, times = timer{all[i], 0, times[0]}, times[1:]
		}
	}
	return timers
}

// remind has the broker give an event of an open payment to the timers, about when it is due: a consumer has
// room for some events only, so most are delivered first when older ones are done with.
func (w *world) remind(p *payment.Payment, seq uint64, data []byte) {
	w.processes[0].timer(0)
	for step, t := range w.processes[0].timers {
		if !slices.Contains(t.Statuses, p.Status) || w.mutant.forgetTimer != nil && w.mutant.forgetTimer(t.Name, p.Status) {
			continue
		}
		if t.life > 0 && !p.AwaitsPage() { // its timer would leave it
			continue
		}
		due, ever := w.hours[p.Operation].engine.AddOpen(w.time().Add(t.life), t.after)
		if p.Status == payment.Submitting { // in any time
			due, ever = w.time().Add(t.after), true
		}
		if !ever {
			continue
		}
		wait := max(due.Sub(w.time())+w.extreme(-maxSkew, maxSkew), 0)
		if w.fails(timerEarly) {
			wait = w.between(0, t.after)
		}
		if w.fails(timerLate) {
			wait += w.between(0, maxLate)
		}
		m := &message{stream: events.StreamPayments, ref: p.Ref, step: step, Message: events.Message{
			Subject: events.PaymentSubject(p.Status, p.Ref), Data: data, Sequence: seq, StoredAt: w.time(),
		}}
		if w.fails(timerCrowded) {
			m.crowded = true
		}
		w.after(wait, func() {
			// Nothing comes of an event that is not the last one: three of four are left out, to save time.
			if w.log.last(m.ref).seq == seq || w.rng.IntN(4) == 0 {
				w.deliver(m)
			}
		})
	}
}

// judgeLookup checks that a timer asks while the provider is open, or was a lease and the longest wait for a place
// in the provider's budget ago, not counting a time in which its process stood still.
func (w *world) judgeLookup(t *task) {
	if t.m.stream != events.StreamPayments || w.hours[w.orderOf(t.m.ref).cmd.Operation].engine.Open(t.p.clock()) {
		return
	}
	if seen := max(t.openAt, t.p.frozen); !t.sawOpen || w.now-seen > timing().Lease+time.Minute {
		w.problem("%s: looked up by a timer while the provider is closed", t.m.ref.Order)
	}
}
