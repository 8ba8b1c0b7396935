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
	count, struck := &s.kills, false
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
		count, struck = &s.flushes, s.system.flushRedis(ctx) == nil
	case Cut:
		count, struck = &s.cuts, s.system.links.cut(ctx, strike.Target, strike.How, strike.For)
	case Freeze:
		count, struck = &s.freezes, s.system.named(strike.Target).freeze(ctx, strike.For)
	case Deploy:
		count, struck = &s.deploys, s.system.deploy(ctx)
	default:
		panic("campaign: there is no strike " + string(strike.Kind))
	}
	if struck {
		count.Add(1)
	}
	return struck
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

// leader returns the nats-server that leads a stream; the first one if nobody knows.
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
