package main

import (
	"context"
	"fmt"
	"time"
)

// archived waits until a search in the archive finds every payment.
func (s *stack) archived(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		found, err := s.shop.Found(ctx)
		if err != nil {
			return fmt.Errorf("the archive: %w", err)
		}
		if found == s.payments {
			fmt.Printf("==> a search in the archive finds all %d payments\n", found)
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d payments were made, and the archive has %d", s.payments, found)
		case <-time.After(time.Second):
		}
	}
}

// audit looks at the whole from outside once more: the sandbox's records and the archive hold exactly the payments that were made, the
// streams are as declared, with their replicas, and with profile ha another Redis is the master.
func (s *stack) audit(ctx context.Context) error {
	statement, err := s.shop.Statement(ctx)
	if err != nil {
		return fmt.Errorf("the sandbox's records: %w", err)
	}
	fmt.Printf("==> the sandbox's records: %d orders, %d charges, charged more than once: %d\n", statement.Orders, statement.Charges, len(statement.ChargedTwice))
	if statement.Orders != s.payments || statement.Charges != s.payments || len(statement.ChargedTwice) > 0 {
		return fmt.Errorf("%d payments were made, and the sandbox's records say: %+v", s.payments, statement)
	}
	if err := s.archived(ctx); err != nil {
		return err
	}
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
