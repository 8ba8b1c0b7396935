package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"payonce/internal/shop"
)

// strike is something that is broken while payments are under way.
type strike struct {
	after int // so many payments have ended
	what  string
	do    func(context.Context, *stack) error
}

func strikes(ha bool, payments int) []strike {
	all := []strike{{payments / 4, "kill -9 of a worker", func(ctx context.Context, s *stack) error { return s.kill(ctx, "worker") }}}
	if ha {
		all = append(all,
			strike{payments / 2, "kill -9 of the Redis master", func(ctx context.Context, s *stack) error {
				master, err := s.master(ctx)
				if err != nil {
					return err
				}
				fmt.Println("    the master is", master)
				return s.kill(ctx, master)
			}},
			strike{payments * 3 / 4, "kill -9 of a NATS server", func(ctx context.Context, s *stack) error { return s.kill(ctx, "nats-2") }},
		)
	}
	return all
}

// pay makes the payments, and breaks things between them.
func (s *stack) pay(ctx context.Context) error {
	began := time.Now()
	outcomes := s.shop.Round(ctx, fmt.Sprintf("C%d", began.Unix()), s.times, func(done int) {
		for _, strike := range s.strikes {
			if strike.after == done {
				fmt.Printf("==> after %d payments: %s\n", done, strike.what)
				if err := strike.do(ctx, s); err != nil {
					fmt.Fprintln(os.Stderr, "compose-test:", strike.what, "failed:", err)
				}
			}
		}
	})
	bad := shop.Print(os.Stdout, outcomes)
	fmt.Printf("in %s\n", time.Since(began).Round(100*time.Millisecond))
	if bad > 0 {
		return fmt.Errorf("%d payments did not end as they must", bad)
	}
	return nil
}

// kill ends one container of a service with SIGKILL. Docker does not restart what was killed by hand.
func (s *stack) kill(ctx context.Context, service string) error {
	ids, err := s.read(ctx, "ps", "-q", service)
	if err != nil {
		return err
	}
	all := strings.Fields(ids)
	if len(all) == 0 {
		return fmt.Errorf("%s has no container", service)
	}
	return exec.CommandContext(ctx, "docker", "kill", all[0]).Run()
}

// master asks a Sentinel for the name of the Redis master.
func (s *stack) master(ctx context.Context) (string, error) {
	answer, err := s.read(ctx, "exec", "-T", "sentinel-1", "/bin/sh", "-c",
		`REDISCLI_AUTH="$(cat /run/secrets/sentinel.password)" redis-cli -p 26379 sentinel get-master-addr-by-name payonce`)
	// As docker-compose.yml says.
	names := map[string]string{"172.31.250.11": "redis-1", "172.31.250.12": "redis-2"}
	if fields := strings.Fields(answer); err == nil && len(fields) > 0 && names[fields[0]] != "" {
		return names[fields[0]], nil
	}
	return "", fmt.Errorf("no Sentinel knows the master: %q %w", answer, err)
}

func (s *stack) read(ctx context.Context, args ...string) (string, error) {
	var out bytes.Buffer
	err := s.prepare(ctx, &out, args...).Run()
	return out.String(), err
}

// audit looks at the whole from outside once more: the streams are as declared, with their replicas, and with
// profile ha another Redis is the master.
func (s *stack) audit(ctx context.Context) error {
	diff := []string{"run", "--rm", "--no-deps", "streams", "/usr/local/bin/payctl", "streams", "diff", "--config", "/etc/payonce/payonce.yaml"}
	if err := s.compose(ctx, diff...); err != nil {
		return fmt.Errorf("streams: %w", err)
	}
	if !s.ha {
		return nil
	}
	master, err := s.master(ctx)
	if err == nil && master != "redis-2" {
		err = fmt.Errorf("the Redis master is %s: there was no failover", master)
	}
	fmt.Println("==> the Redis master is now", master)
	return err
}
