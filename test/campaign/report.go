package campaign

import (
	"context"
	"fmt"
	"strings"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
)

// progressEvery is how often a line of progress is printed.
const progressEvery = 5 * time.Second

func (c *run) tellProgress(ctx context.Context) {
	ticker := time.NewTicker(progressEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		counts, _ := c.board.counts()
		c.note("%d of %d orders accepted; %s; %s", c.load.accepted.Load(), c.Orders, statusText(counts), c.strike)
	}
}

func (s *striker) String() string {
	return fmt.Sprintf("kills=%d flushes=%d cuts=%d freezes=%d deploys=%d", s.kills.Load(), s.flushes.Load(), s.cuts.Load(), s.freezes.Load(), s.deploys.Load())
}

// statusText lists all statuses that any payment has.
func statusText(counts map[payment.Status]int) string {
	var parts []string
	for _, status := range payment.Statuses() {
		if counts[status] > 0 {
			parts = append(parts, fmt.Sprintf("%s=%d", status, counts[status]))
		}
	}
	if len(parts) == 0 {
		return "no payment yet"
	}
	return strings.Join(parts, " ")
}

// line is the last line.
func (c *run) line(v Verdict) string {
	n := func(s payment.Status) int { return v.Statuses[s] }
	return fmt.Sprintf("campaign: orders=%d settled=%d failed=%d parked=%d pending=%d in_doubt=%d conflict=%d charged_twice=%d lost=%d wrong_outcome=%d kills=%d flushes=%d cuts=%d",
		v.Orders, n(payment.Settled), n(payment.Failed), n(payment.Parked), n(payment.Pending), n(payment.InDoubt), n(payment.Conflict),
		len(v.ChargedTwice), len(v.Lost), len(v.WrongOutcome), c.strike.kills.Load(), c.strike.flushes.Load(), c.strike.cuts.Load())
}

// maxTold is how many bad orders of each sort are printed with their whole scenario.
const maxTold = 10

// tell prints what was found.
func (c *run) tell(f *findings) error {
	sum := f.Truth.Summary()
	c.note("the provider's records: %d orders executed, %d charges, %d movements of money", sum.Orders, sum.Charges, sum.Movements)
	c.note("the log: %s", statusText(f.Statuses))
	c.note("strikes: %s, %d missed; %d restarts", c.strike, c.strike.missed.Load(), c.restarts())
	if unaccepted := c.Options.Orders - f.Verdict.Orders; unaccepted > 0 {
		c.note("%d orders were not accepted in time; their upstreams would send them again", unaccepted)
	}
	if orphans := f.Dead[payment.Ref{}]; len(orphans) > 0 {
		c.note("%d dead letters name no payment: %v", len(orphans), orphans[:min(3, len(orphans))])
	}
	played, missing := playedLine(playedIn(f.Evidence))
	c.print("%s\n", played)
	for _, sort := range []struct {
		name string
		list []Finding
	}{{"charged twice", f.ChargedTwice}, {"lost", f.Lost}, {"wrong outcome", f.WrongOutcome}} {
		for i, found := range sort.list {
			if i == maxTold {
				c.print("… and %d more\n", len(sort.list)-maxTold)
				break
			}
			c.print("\n%s: %s: %s\n%s", strings.ToUpper(sort.name), found.Ref, found.Problem, scenario(f.Evidence, found.Ref))
		}
	}
	switch {
	case !f.Good():
		return ErrBroken
	case len(missing) > 0:
		c.print("PLANNED AND NEVER HAPPENED: %s\n", strings.Join(missing, ", "))
		return ErrNotPlayed
	}
	return nil
}

func (c *run) restarts() int64 {
	restarts := int64(0)
	for _, s := range c.system.services() {
		restarts += s.starts.Load() - 1
	}
	return restarts
}

// scenario is everything that is known about a payment, by time.
func scenario(e Evidence, ref payment.Ref) string {
	var text strings.Builder
	line := func(at time.Time, format string, args ...any) {
		fmt.Fprintf(&text, "  %s  %s\n", at.UTC().Format(clock), fmt.Sprintf(format, args...))
	}
	for _, r := range e.Log[ref] {
		line(r.StoredAt, "log: %s", eventText(r))
	}
	for _, account := range e.Truth.Accounts {
		for _, o := range account.Orders {
			if o.Provider == ref.Provider && o.Order == ref.Order {
				tellStatement(line, o)
			}
		}
	}
	for _, deadLetter := range e.Dead[ref] {
		fmt.Fprintf(&text, "  dead letter: %s\n", deadLetter)
	}
	if actions, any := e.Actions[ref]; any {
		fmt.Fprintf(&text, "  done besides: %+v\n", actions)
	}
	return text.String()
}

func eventText(r events.Record) string {
	text := fmt.Sprintf("%s, revision %d, attempt %d, sequence %d", r.Payment.Status, r.Payment.Revision, r.Payment.Attempts, r.Sequence)
	if reason := r.Payment.Reason; reason != nil {
		text += fmt.Sprintf(", %s %s %s", reason.Code, reason.ProviderCode, reason.Message)
	}
	return text
}

func tellStatement(line func(time.Time, string, ...any), o sandbox.Order) {
	for _, r := range o.Requests {
		line(r.At, "provider: %s %s %s, status %d, faults %v", r.Action, r.Outcome, r.Reason, r.Reply, r.Faults)
	}
	for _, charge := range o.Charges {
		line(charge.At, "provider: charge %s of %d, now %s %s", charge.Reference, charge.Amount, charge.State, charge.Failure)
	}
	for _, m := range o.Movements {
		line(m.At, "provider: %s %d for charge %s", m.Kind, m.Amount, m.Charge)
	}
	for _, callback := range o.Callbacks {
		for _, d := range callback.Deliveries {
			line(d.At, "provider: callback %s, answered %d %s", callback.State, d.Status, d.Error)
		}
	}
}
