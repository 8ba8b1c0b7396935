package worker_test

import (
	"context"
	"errors"
	"sync"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/idempotency"
	"payonce/pkg/payment"
	"payonce/pkg/worker"
)

// fault is what goes wrong with one call of a port.
type fault int

const (
	fine        fault = iota
	crashBefore       // the process ends, the call was not made
	crashAfter        // the call was made, the process ends
	failBefore        // the call was not made and gives an error
	failAfter         // the call was made and gives an error
)

func (f fault) String() string {
	return [...]string{"fine", "crash before", "crash after", "fail before", "fail after"}[f]
}

var errPort = errors.New("the port failed")

// ports are all calls of one process to the outside, counted, each with a switch for its fault. A process
// that has crashed reaches nothing any more.
type ports struct {
	testbed *testbed
	crashAt worker.Step
	fault   func(n int, name string) fault // n counts from 1
	onRead  func() error                   // what the next Last returns instead, once

	mu    sync.Mutex
	dead  bool
	calls []string
}

func (p *ports) crash() {
	p.mu.Lock()
	p.dead = true
	p.mu.Unlock()
	panic(errCrash)
}

// do makes a call, or not.
func (p *ports) do(name string, notMade error, run func() error) error {
	p.mu.Lock()
	if p.dead {
		p.mu.Unlock()
		return errPort
	}
	p.calls = append(p.calls, name)
	n := len(p.calls)
	p.mu.Unlock()
	f := fine
	if p.fault != nil {
		f = p.fault(n, name)
	}
	switch f {
	case crashBefore:
		p.crash()
	case failBefore:
		return notMade
	}
	err := run()
	switch f {
	case crashAfter:
		p.crash()
	case failAfter:
		return errPort
	}
	return err
}

// count returns how many calls of this name were made; all with "".
func (p *ports) count(name string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, c := range p.calls {
		if name == "" || c == name {
			n++
		}
	}
	return n
}

// on makes the k-th call of one name fail.
func (p *ports) on(name string, k int, f fault) {
	seen := 0
	p.fault = func(_ int, is string) fault {
		if is != name {
			return fine
		}
		if seen++; seen == k {
			return f
		}
		return fine
	}
}

type logPort struct{ p *ports }

func (l logPort) Append(ctx context.Context, next payment.Payment, after uint64) (seq uint64, err error) {
	err = l.p.do("append", errUnknownWrite, func() (err error) {
		seq, err = l.p.testbed.log.Append(ctx, next, after)
		return err
	})
	return seq, err
}

func (l logPort) Actions(ctx context.Context, p payment.Payment) (payment.Payment, error) {
	return l.p.testbed.log.Actions(ctx, p)
}

func (l logPort) Last(ctx context.Context, ref payment.Ref) (current payment.Payment, seq uint64, err error) {
	err = l.p.do("last", errPort, func() (err error) {
		if answer := l.p.onRead; answer != nil {
			l.p.onRead = nil
			return answer()
		}
		current, seq, err = l.p.testbed.log.Last(ctx, ref)
		return err
	})
	return current, seq, err
}

type claimsPort struct{ p *ports }

func (c claimsPort) Claim(ctx context.Context, ref payment.Ref, req idempotency.Request) (claim idempotency.Claim, err error) {
	err = c.p.do("claim", errPort, func() (err error) {
		claim, err = c.p.testbed.claims.Claim(ctx, ref, req)
		return err
	})
	return claim, err
}

func (c claimsPort) Renew(ctx context.Context, ref payment.Ref, held idempotency.Held, lease time.Duration) error {
	return c.p.do("renew", errPort, func() error { return c.p.testbed.claims.Renew(ctx, ref, held, lease) })
}

func (c claimsPort) Verify(ctx context.Context, ref payment.Ref, held idempotency.Held, left time.Duration) error {
	return c.p.do("verify", errPort, func() error { return c.p.testbed.claims.Verify(ctx, ref, held, left) })
}

func (c claimsPort) Release(ctx context.Context, ref payment.Ref, held idempotency.Held) error {
	return c.p.do("release", errPort, func() error { return c.p.testbed.claims.Release(ctx, ref, held) })
}

// connectorPort passes on what it does not count: traits, checks and webhooks are pure.
type connectorPort struct {
	*provider
	p *ports
}

func (c connectorPort) Submit(ctx context.Context, cmd payment.Command) (o payment.Observation, err error) {
	err = c.p.do("submit", errUnreached, func() (err error) {
		o, err = c.provider.Submit(ctx, cmd)
		return err
	})
	return o, err
}

func (c connectorPort) Lookup(ctx context.Context, q connectors.Query) (o payment.Observation, err error) {
	err = c.p.do("lookup", errPort, func() (err error) {
		o, err = c.provider.Lookup(ctx, q)
		return err
	})
	return o, err
}
