package simulation

import (
	"context"
	"strings"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/pkg/worker"
)

// hoursMutants mistake the hours, the schedules or the customer's deadline.
func hoursMutants() []Mutant {
	misread := func(name string, read func(*world, hours) worker.Opening) Mutant {
		return Mutant{Name: name, opening: read}
	}
	return []Mutant{
		misread("ignore closed hours", func(*world, hours) worker.Opening { return worker.Opening{} }),
		misread("forget the hours when sending again", func(w *world, h hours) worker.Opening {
			if w.current != nil && w.log.last(w.current.m.ref).stands.Status == payment.InDoubt {
				return worker.Opening{}
			}
			return worker.Opening{Hours: h.engine, Closed: h.policy}
		}),
		misread("mistake the zone of the hours", func(_ *world, h hours) worker.Opening {
			if h.config.Zone != "" {
				h.config.Zone = "+00:30"
				h.engine = parseHours(h.config)
			}
			return worker.Opening{Hours: h.engine, Closed: h.policy}
		}),
		misread("forget the margin before closing", func(_ *world, h hours) worker.Opening {
			return worker.Opening{Hours: h.posted, Closed: h.policy}
		}),
		misread("park what should be refused", func(_ *world, h hours) worker.Opening {
			return worker.Opening{Hours: h.engine, Closed: worker.ParkClosed}
		}),
		{Name: "resume all at once", timing: func(t *worker.Timing) { t.ResumeSpread = 0 }},
		{Name: "forget when a command expires", forgetExpiry: true},
		{Name: "judge by the worker's clock what comes from the future", stored: storedByOurClock},
		{Name: "cut schedules down instead of up", Harmless: true, schedule: func(at time.Time) time.Time { return at.Truncate(time.Second) }},
	}
}

// storedByOurClock takes a command for stored when the clock of the worker's machine shows that it is taken.
func storedByOurClock(p *process, handle queue.Handler) queue.Handler {
	return func(ctx context.Context, m events.Message) queue.Verdict {
		if _, name, _ := strings.Cut(m.Subject, "."); strings.HasPrefix(name, "requested") {
			m.StoredAt = p.w.time().Add(p.clocks.wall)
		}
		return handle(ctx, m)
	}
}
