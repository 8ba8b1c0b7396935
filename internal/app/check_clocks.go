package app

import (
	"context"
	"fmt"
	"sync"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/events/jetstream"
)

// How far a clock may be from ours. Times decide when a parked payment is tried, when a command has expired
// and whether a provider takes a timestamp that we signed.
const (
	skewWarned = 2 * time.Second
	skewFailed = 30 * time.Second
)

const adviceForClocks = "let chrony or systemd-timesyncd keep the time of this machine, then of the other"

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

func natsClock(ctx context.Context, rt Runtime, conn *jetstream.Conn) finding {
	const name = "NATS clock"
	at, took, err := conn.ServerTime(ctx)
	if err != nil {
		return finding{check: name, state: unchecked, result: err.Error(), next: "make the streams first"}
	}
	return skew(name, rt.Now(), at, took, 0)
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
		return finding{check: check, state: unchecked, result: "its connector cannot ask"}
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	before := rt.Now()
	at, err := clock.Time(ctx)
	if err != nil {
		return finding{check: check, state: warned, result: err.Error(),
			next: "check the address in providers." + name + ".settings and that this machine may reach it"}
	}
	now := rt.Now()
	return skew(check, now, at, now.Sub(before), time.Second)
}

// logClocks logs which clocks are not as they should be. It is no reason to end.
func logClocks(ctx context.Context, rt Runtime, conn *jetstream.Conn) {
	asking, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	rows := append(checkProviders(asking, rt), natsClock(asking, rt, conn))
	if ctx.Err() != nil {
		return // it is being stopped
	}
	_ = logFindings(rt, rows) // none of them is fatal
}
