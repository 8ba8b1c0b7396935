package jetstream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"payonce/pkg/events/jetstream/internal/broker"
)

// fitEvery is how often a connection asks Options.Fit, so that consumers begin and end with it.
const fitEvery = 250 * time.Millisecond

// errUnfit ends a subscription of a process that must take no messages now.
var errUnfit = errors.New("this process does not accept messages")

// fitness says whether this process may take messages.
type fitness struct {
	ask func() error // nil: always

	mu      sync.Mutex
	why     error // as it was seen last
	changed broker.Broadcast
}

// check asks now, and wakes consumers if the answer is another one than before.
func (f *fitness) check() error {
	if f.ask == nil {
		return nil
	}
	why := f.ask()
	f.mu.Lock()
	changed := (why == nil) != (f.why == nil)
	f.why = why
	f.mu.Unlock()
	if changed {
		f.changed.Send()
	}
	if why != nil {
		return fmt.Errorf("%w: %w", errUnfit, why)
	}
	return nil
}

// watch asks until ctx ends.
func (f *fitness) watch(ctx context.Context) {
	for ticker := time.NewTicker(fitEvery); ; {
		_ = f.check() // it wakes those who want to know
		select {
		case <-ctx.Done():
			ticker.Stop()
			return
		case <-ticker.C:
		}
	}
}

// await returns nil when messages may be taken, or the cause of ctx's end.
func (f *fitness) await(ctx context.Context) error {
	for {
		changed := f.changed.Wait()
		if f.check() == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-changed:
		}
	}
}
