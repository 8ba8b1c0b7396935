package campaign

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Kind is what is done to a process or to a way between processes.
type Kind string

// The kinds of strikes.
const (
	KillWorker  Kind = "kill -9 worker"
	KillIngress Kind = "kill -9 ingress"
	KillLeader  Kind = "kill -9 stream leader"
	KillQuorum  Kind = "kill -9 two of three nats-servers"
	KillRedis   Kind = "kill -9 redis"
	FlushRedis  Kind = "flush redis"
	Cut         Kind = "cut"
	Freeze      Kind = "freeze"
	Deploy      Kind = "deploy" // all workers, one after the other: SIGTERM, then a new one
)

// Strike is one fault of the plan.
type Strike struct {
	At     time.Duration // since the beginning of the load
	Kind   Kind
	Target string        // a service, a stream, or a way; empty where the kind says it
	How    string        // of a cut
	For    time.Duration // of a cut and of a freeze
}

func (s Strike) String() string {
	text := string(s.Kind)
	if s.Target != "" {
		text += " " + s.Target
	}
	if s.How != "" {
		text += ", " + s.How
	}
	if s.For > 0 {
		text += fmt.Sprintf(" for %.1f s", s.For.Seconds())
	}
	return text
}

// round is what happens in each round of the plan, in an order of its own each time.
var round = []Kind{
	KillWorker, KillWorker, KillWorker, KillIngress, KillLeader, KillRedis, FlushRedis, FlushRedis,
	Cut, Cut, Cut, Cut, Freeze, Freeze, Deploy,
}

// How close strikes follow each other.
const (
	strikesWanted = 40 // in a run that is long enough for that
	closest       = 400 * time.Millisecond
	loosest       = 3 * time.Second
)

// plan returns the strikes of a seed for a load of the given length: the same seed, the same strikes. The
// first ones of a plan are one of each kind, so that a short run has them too.
func plan(seed uint64, length time.Duration, workers int, ways []string) []Strike {
	random := rand.New(rand.NewPCG(seed, 2))
	pause := min(max(length/strikesWanted, closest), loosest)
	var strikes []Strike
	next := []Kind{KillWorker, FlushRedis, Cut, KillLeader, Freeze, KillIngress, KillRedis, Deploy}
	random.Shuffle(len(next), func(i, j int) { next[i], next[j] = next[j], next[i] })
	for at := pause; at < length; at += pause/2 + time.Duration(random.Int64N(int64(pause))) {
		if len(next) == 0 {
			next = slices.Clone(round)
			if len(strikes)%2 == 1 {
				next = append(next, KillQuorum)
			}
			random.Shuffle(len(next), func(i, j int) { next[i], next[j] = next[j], next[i] })
		}
		strikes = append(strikes, aim(random, at, next[0], workers, ways))
		next = next[1:]
	}
	return strikes
}

// aim fills in the details of a strike.
func aim(random *rand.Rand, at time.Duration, kind Kind, workers int, ways []string) Strike {
	worker := func() string { return fmt.Sprintf("worker-%d", random.IntN(workers)+1) }
	between := func(least, most time.Duration) time.Duration {
		return least + time.Duration(random.Int64N(int64(most-least)))
	}
	s := Strike{At: at, Kind: kind}
	switch kind {
	case KillWorker:
		s.Target = worker()
	case KillLeader:
		s.Target = pick(random, []string{"PAYMENTS", "COMMANDS", "WEBHOOKS"})
	case Cut:
		s.Target, s.How, s.For = pick(random, ways), pick(random, cuts), between(300*time.Millisecond, 3*time.Second)
	case Freeze: // the test environment's lease is 3 s
		if s.Target = worker(); random.IntN(3) == 0 {
			s.Target = pick(random, []string{"ingress", "redis", "nats-1", "nats-2", "nats-3"})
		}
		s.For = between(3500*time.Millisecond, 6*time.Second)
	}
	return s
}

func pick(random *rand.Rand, from []string) string { return from[random.IntN(len(from))] }
