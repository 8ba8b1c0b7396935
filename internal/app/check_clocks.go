package app

import (
	"context"
	"fmt"
	"sync"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/events/jetstream"
)

// How far a provider's clock may be from ours. It decides whether a provider takes a timestamp that we signed.
const (
	skewWarned = 2 * time.Second
	skewFailed = 30 * time.Second
)

// skew is a finding about the clock of someone else, which was at for a moment of the last took, give or
// take what it is rounded by. Only what these cannot explain counts.
func skew(check string, now, at time.Time, took, rounded time.Duration) finding {
	row := finding{check: check, state: good, result: fmt.Sprintf("within %s of ours", skewWarned)}
	off := at.Add(rounded / 2).Sub(now.Add(-took / 2))
	which := "ahead of"
	if off < 0 {
		off, which = -off, "behind"
	}
	certain := off - took/2 - rounded/2
	if certain <= skewWarned {
		return row
	}
	row.state, row.next = warned, adviceForClocks
	if certain > skewFailed {
		row.state = failed
	}
	row.result = fmt.Sprintf("at least %s %s ours", certain.Truncate(time.Second), which)
	return row
}

// natsClock measures NATS's clock, as a worker does all the time.
func natsClock(ctx context.Context, rt Runtime, conn *jetstream.Conn) finding {
	row := finding{check: "NATS clock", state: unchecked, next: "create the streams first"}
	if err := rt.measure(ctx, conn); err != nil {
		row.result = err.Error()
		return row
	}
	w, s := rt.Config.Worker, rt.clock.State()
	which := "ahead of" // NATS's clock
	if s.Difference > 0 {
		which = "behind"
	}
	row.result = fmt.Sprintf("at least %s %s ours", (s.Difference.Abs() - s.Uncertainty).Truncate(time.Second), which)
	row.next = adviceForClocks
	switch {
	case s.Exceeds(w.ClockLimit):
		row.state = failed
	case s.Exceeds(w.ClockWarning):
		row.state = warned
	case s.Uncertainty > s.Allowed:
		row.state, row.next = warned, "find out why NATS answers slowly, or raise worker.clock_bound"
		row.result = fmt.Sprintf("known to %s only, and worker.clock_bound allows %s", s.Uncertainty.Round(time.Millisecond), s.Allowed)
	default:
		row.state, row.next = good, ""
		row.result = fmt.Sprintf("within %s of ours", w.ClockWarning)
	}
	return row
}

// checkProviders asks every provider for its time, all at once. A provider that does not answer is a warning:
// payments for it are parked, those of the others go on.
func checkProviders(ctx context.Context, rt Runtime) []finding {
	names := rt.Connectors.Names()
	rows := make([]finding, len(names))
	var all sync.WaitGroup
	for i, name := range names {
		connector, _ := rt.Connectors.Get(name)
		all.Go(func() { rows[i] = providerClock(ctx, rt, name, connector) })
	}
	all.Wait()
	return rows
}

func providerClock(ctx context.Context, rt Runtime, name string, connector connectors.Connector) finding {
	check := "clock of " + name
	clock, able := connector.(connectors.Clock)
	if !able {
		return finding{check: check, state: unchecked, result: "its connector has no time query"}
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	before := rt.local()
	at, err := clock.Time(ctx)
	if err != nil {
		return finding{check: check, state: warned, result: err.Error(),
			next: "check the address in providers." + name + ".settings and that this machine may reach it"}
	}
	now := rt.local()
	return skew(check, now, at, now.Sub(before), time.Second)
}

// logClocks logs which providers' clocks are not as they should be. It is no reason to end.
func logClocks(ctx context.Context, rt Runtime) {
	asking, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	rows := checkProviders(asking, rt)
	if ctx.Err() != nil {
		return // it is being stopped
	}
	_ = logFindings(rt, rows) // none of them is fatal
}
