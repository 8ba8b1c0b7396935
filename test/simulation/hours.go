package simulation

import (
	"fmt"
	"strings"
	"time"

	"payonce/pkg/calendar"
	"payonce/pkg/payment"
	"payonce/pkg/worker"
)

// hours are when the provider takes the payments of one operation. The zero hours are always open.
type hours struct {
	config calendar.Config
	engine calendar.Hours // as the engine knows them, with their margins
	posted calendar.Hours // as the provider keeps them
	policy worker.ClosedPolicy
	safe   bool // the margins are as long as docs/reliability.md asks: nothing may leave while the provider is closed
	shut   bool // it does not open again before the end of the run
}

// drawHours makes half of the operations always open. The others close and open every few minutes.
func (w *world) drawHours() *hours {
	if w.rng.IntN(2) == 0 {
		return &hours{}
	}
	h := &hours{
		policy: [...]worker.ClosedPolicy{worker.ParkClosed, worker.ParkClosed, worker.RejectClosed, worker.SendClosed}[w.rng.IntN(4)],
		safe:   w.rng.IntN(2) == 0, shut: w.rng.IntN(3) == 0,
	}
	var open []string
	from, last := w.minutes(-30, 15), int((w.calm+40*time.Minute)/time.Minute)
	if h.shut {
		last = w.minutes(-30, 20)
	}
	for len(open) == 0 || from < last {
		to := from + w.minutes(5, 25)
		open = append(open, clockTime(from)+"-"+clockTime(to))
		from = to + w.minutes(1, 20)
	}
	if !h.shut {
		open = append(open, clockTime(from)+"-24:00")
	}
	h.config = calendar.Config{Zone: "+00:00", Days: "mon-sun", Hours: strings.Join(open, ",")}
	h.posted = parseHours(h.config)
	if h.safe {
		h.config.MarginAfterOpening, h.config.MarginBeforeClosing = maxSkew, timing().Lease+maxSkew
	}
	h.engine = parseHours(h.config)
	return h
}

func (w *world) minutes(least, most int) int { return least + w.rng.IntN(most-least+1) }

// clockTime writes a time of the first day in minutes after the epoch.
func clockTime(minute int) string {
	at := epoch.Add(time.Duration(minute) * time.Minute)
	return fmt.Sprintf("%02d:%02d", at.Hour(), at.Minute())
}

func parseHours(c calendar.Config) calendar.Hours {
	h, err := calendar.Parse(c)
	if err != nil {
		panic(err) // drawHours writes no hours
	}
	return h
}

// opening answers the engine of a process. What its clock shows then is what counts.
func (p *process) opening(_ string, op payment.Operation) worker.Opening {
	h, t := p.w.hours[op], p.w.current
	if t != nil {
		t.hours, t.hoursAt, t.hoursAsked = h, p.w.now, true
		t.sawOpen, t.slow = h.engine.Open(p.clock()), t.slow || p.clocks.slow > 0
		if t.sawClosed = !t.sawOpen; t.sawOpen {
			t.openAt = p.w.now
		} else {
			p.w.happened[providerClosed]++
		}
	}
	if p.w.mutant.opening != nil {
		return p.w.mutant.opening(p.w, *h)
	}
	return worker.Opening{Hours: h.engine, Closed: h.policy}
}

// judgeRequest checks that a request leaves in time: while its delivery holds the order it has seen, by its
// own clock, that the provider is open and that the command has not expired. With the margins that are
// asked for, the provider is then really open.
func (w *world) judgeRequest(t *task, o *order) {
	if t.seen.blind() || t.slow { // no worker could know
		return
	}
	lease := timing().Lease
	if expires := o.cmd.ExpiresAt; !expires.IsZero() && !t.p.clock().Add(-lease).Before(expires) {
		w.problem("%s: sent after it expired", o.ref.Order)
	}
	h := w.hours[o.cmd.Operation]
	switch {
	case h.policy == worker.SendClosed:
	case !t.sawOpen || w.now-t.openAt > lease:
		w.problem("%s: sent without having seen, within a lease, that the provider is open", o.ref.Order)
	case h.safe && !h.posted.Open(w.time()):
		w.problem("%s: sent while the provider is closed", o.ref.Order)
	}
}

// judgeReason checks that who writes of closed hours has just seen, by its own clock, that they are.
func (w *world) judgeReason(t *task, p payment.Payment) {
	if p.Reason != nil && p.Reason.Code == payment.ReasonClosed && !t.sawClosed {
		w.problem("%s: %s by closed hours while the provider was open", p.Order, p.Status)
	}
}

// judgeClosed checks an event that is there because the provider was closed.
func (w *world) judgeClosed(o *order, p payment.Payment) {
	h := w.hours[o.cmd.Operation]
	policy := worker.RejectClosed
	if p.Status == payment.Parked {
		policy = worker.ParkClosed
	}
	if h.policy != policy {
		w.problem("%s: %s by closed hours, whose policy is %q", o.ref.Order, p.Status, h.policy)
	}
	if p.Status != payment.Parked {
		return
	}
	if !h.engine.Open(p.ResumeAt) {
		w.problem("%s: parked until %s, when the provider is closed", o.ref.Order, p.ResumeAt.Format(time.TimeOnly))
	}
	if give := w.limits.timeout[p.Operation].GiveUpAfter; give > 0 {
		if end, _ := h.engine.AddOpen(o.cmd.RequestedAt, give); !end.After(p.ResumeAt) {
			return // it is given up then, and sends nothing
		}
	}
	if other := w.resumed[p.ResumeAt]; other != nil && other != o {
		w.problem("%s and %s: resumed at the same instant", o.ref.Order, other.ref.Order)
	}
	w.resumed[p.ResumeAt] = o
}
