package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"payonce/test/testenv"
	"payonce/test/testmerchant"
)

// strike is something that is broken while payments are under way.
type strike struct {
	after int // so many payments have ended
	what  string
	do    func(context.Context, *stack) error
}

func strikes(ha bool, payments int) []strike {
	all := []strike{{payments / 4, "kill -9 of a worker in the middle of calls", func(ctx context.Context, s *stack) error { return s.killInCalls(ctx) }}}
	if ha {
		all = append(all,
			strike{payments / 2, "kill -9 of the Redis master", func(ctx context.Context, s *stack) error {
				master, err := s.master(ctx)
				if err != nil {
					return err
				}
				fmt.Println("    the master is", master)
				return s.killService(ctx, master)
			}},
			strike{payments * 3 / 4, "kill -9 of a NATS server", func(ctx context.Context, s *stack) error { return s.killService(ctx, "nats-2") }},
		)
	}
	return all
}

// pay makes the payments, breaks things between them, and compares each outcome with the sandbox's records.
func (s *stack) pay(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout/4)
	defer cancel()
	began, struck := time.Now(), 0
	var errs []error
	outcomes := s.shop.Round(ctx, fmt.Sprintf("C%d", began.Unix()), s.times, func(done int) {
		for _, strike := range s.strikes {
			if strike.after != done {
				continue
			}
			fmt.Printf("==> after %d payments: %s\n", done, strike.what)
			if err := strike.do(ctx, s); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", strike.what, err))
				continue
			}
			struck++
		}
	})
	errs = append(errs, everyWayTaken(outcomes, s.times), s.aftermath.Wait())
	outcomes = append(outcomes, s.taken...)
	s.payments += len(outcomes)
	if len(outcomes) > 0 {
		s.one = outcomes[0].Ref
	}
	bad := testmerchant.Print(os.Stdout, outcomes)
	fmt.Printf("in %s, with %d killed by SIGKILL\n", time.Since(began).Round(100*time.Millisecond), struck)
	if bad > 0 {
		errs = append(errs, fmt.Errorf("%d payments did not end as they must", bad))
	}
	if struck != len(s.strikes) {
		errs = append(errs, fmt.Errorf("%d of %d kills were done", struck, len(s.strikes)))
	}
	return errors.Join(errs...)
}

// everyWayTaken sees that no way of paying was left out.
func everyWayTaken(outcomes []testmerchant.Outcome, times int) error {
	for _, v := range testenv.Variants() {
		taken := len(slices.DeleteFunc(slices.Clone(outcomes), func(o testmerchant.Outcome) bool { return o.Variant != v }))
		if taken != times {
			return fmt.Errorf("%s %s %s was paid %d times", v.Account, v.Operation, v.Method, taken)
		}
	}
	return nil
}

// master asks a Sentinel for the name of the Redis master.
func (s *stack) master(ctx context.Context) (string, error) {
	answer, err := s.read(ctx, "exec", "-T", "sentinel-1", "/bin/sh", "-c",
		`REDISCLI_AUTH="$(cat /run/secrets/sentinel.password)" redis-cli --tls --cacert /run/secrets/redis-ca.pem -p 26379 sentinel get-master-addr-by-name payonce`)
	// As docker-compose.yml says.
	names := map[string]string{"172.31.250.11": "redis-1", "172.31.250.12": "redis-2"}
	if err != nil {
		return "", fmt.Errorf("ask Sentinel for the master: %w", err)
	}
	if fields := strings.Fields(answer); len(fields) > 0 && names[fields[0]] != "" {
		return names[fields[0]], nil
	}
	return "", fmt.Errorf("the master is %q, says Sentinel", answer)
}
