package campaign

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// striker carries a plan out.
type striker struct {
	system *system
	note   func(format string, args ...any)

	kills, flushes, cuts, freezes, deploys, missed atomic.Int64
}

// makeUpFor bounds how long the kinds of strikes are made up for that all missed.
const makeUpFor = time.Minute

// makeUp carries out what was planned and struck nothing of its kind, on a machine that was too slow for the
// plan: once, as soon as there is something to strike.
func (s *striker) makeUp(ctx context.Context, strikes []Strike) {
	ctx, cancel := context.WithTimeout(ctx, makeUpFor)
	defer cancel()
	for _, strike := range strikes {
		for ctx.Err() == nil && s.count(strike.Kind).Load() == 0 {
			if s.carryOut(ctx, strike) {
				s.note("%s, made up for", strike)
				break
			}
			select {
			case <-ctx.Done():
			case <-time.After(restartPause):
			}
		}
	}
}

// run strikes at the planned times and returns when the last strike is over, or ctx ends.
func (s *striker) run(ctx context.Context, strikes []Strike) {
	var running sync.WaitGroup
	defer running.Wait()
	began := time.Now()
	for _, strike := range strikes {
		select {
		case <-ctx.Done():
			return
		case <-time.After(strike.At - time.Since(began)):
		}
		running.Go(func() {
			s.note("%s", strike)
			if !s.carryOut(ctx, strike) {
				s.missed.Add(1)
				s.note("%s: missed, it did not run", strike)
			}
		})
	}
}

// carryOut does it and reports whether it struck.
func (s *striker) carryOut(ctx context.Context, strike Strike) bool {
	struck := false
	switch strike.Kind {
	case KillWorker:
		struck = s.system.named(strike.Target).kill()
	case KillIngress:
		struck = s.system.ingress.kill()
	case KillRedis:
		struck = s.system.redis.kill()
	case KillLeader:
		struck = s.system.leader(ctx, strike.Target).kill()
	case KillQuorum:
		var both sync.WaitGroup
		both.Go(func() { struck = s.system.nats[0].kill() })
		both.Go(func() { s.system.nats[1].kill() })
		both.Wait()
	case FlushRedis:
		struck = s.system.flushRedis(ctx) == nil
	case Cut:
		struck = s.system.links.cut(ctx, strike.Target, strike.How, strike.For)
	case Freeze:
		struck = s.system.named(strike.Target).freeze(ctx, strike.For)
	case Deploy:
		struck = s.system.deploy(ctx)
	default:
		panic("campaign: there is no strike " + string(strike.Kind))
	}
	if struck {
		s.count(strike.Kind).Add(1)
	}
	return struck
}

// count returns how often a kind has struck; all kills are one.
func (s *striker) count(kind Kind) *atomic.Int64 {
	switch kind {
	case FlushRedis:
		return &s.flushes
	case Cut:
		return &s.cuts
	case Freeze:
		return &s.freezes
	case Deploy:
		return &s.deploys
	}
	return &s.kills
}

// deploy replaces all workers, one after the other, as a rolling deploy does. It is false if none could be.
func (s *system) deploy(ctx context.Context) bool {
	replaced := false
	for _, worker := range s.workers {
		if ctx.Err() == nil && worker.replace(ctx) {
			replaced = true
		}
	}
	return replaced
}

// named finds a service.
func (s *system) named(name string) *service {
	for _, one := range s.services() {
		if one.name == name {
			return one
		}
	}
	panic("campaign: there is no service " + name)
}

// leader returns the nats-server that leads a stream; the first one if the leader is unknown.
func (s *system) leader(ctx context.Context, stream string) *service {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	handle, err := s.js.Stream(ctx, stream)
	if err == nil && handle.CachedInfo().Cluster != nil && handle.CachedInfo().Cluster.Leader != "" {
		return s.named(handle.CachedInfo().Cluster.Leader)
	}
	return s.nats[0]
}

// flushRedis makes Redis forget everything, its scripts too.
func (s *system) flushRedis(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", s.redisAt)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	replies := bufio.NewReader(conn)
	for _, command := range []string{"FLUSHALL", "SCRIPT FLUSH"} {
		if _, err := fmt.Fprintf(conn, "%s\r\n", command); err != nil {
			return err
		}
		if reply, err := replies.ReadString('\n'); err != nil || reply != "+OK\r\n" {
			return fmt.Errorf("%s: %q, %w", command, reply, err)
		}
	}
	return nil
}
