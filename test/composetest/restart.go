package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"payonce/pkg/payment"
	"payonce/test/testenv"
	"payonce/test/testmerchant"
)

// everything takes the whole from outside: the archive finds what was made, the shop's endpoint got its webhooks, and the console shows it.
// Then all containers are killed at once and started again, and it must still be so, and a new payment go the whole way.
func (s *stack) everything(ctx context.Context) error {
	ids, err := s.webhooks(ctx, s.payments, nil)
	if err != nil {
		return err
	}
	if err := s.console(ctx, s.one); err != nil {
		return err
	}
	if s.observability {
		if err := s.observe(ctx); err != nil {
			return err
		}
	}
	if err := s.killAll(ctx); err != nil {
		return err
	}
	if err := s.unchanged(ctx); err != nil {
		return err
	}
	fresh := s.shop.Pay(ctx, testenv.Variants()[0], fmt.Sprintf("R%d", time.Now().Unix()))
	if bad := testmerchant.Print(os.Stdout, []testmerchant.Outcome{fresh}); bad > 0 {
		return fmt.Errorf("the payment after the restart did not end as it must: %+v", fresh)
	}
	s.payments++
	if err := s.archived(ctx); err != nil {
		return err
	}
	if _, err := s.webhooks(ctx, 1, ids); err != nil {
		return err
	}
	return s.console(ctx, fresh.Ref)
}

// killAll ends all containers with SIGKILL and starts them again.
func (s *stack) killAll(ctx context.Context) error {
	fmt.Println("==> kill -9 of everything")
	s.browser = nil
	if err := s.compose(ctx, "kill"); err != nil {
		return err
	}
	return s.compose(ctx, s.start()...)
}

// unchanged sees that what was there before the restart is there.
func (s *stack) unchanged(ctx context.Context) error {
	p, err := s.shop.Payment(ctx, s.one)
	if err != nil {
		return fmt.Errorf("after the restart: %w", err)
	}
	if p.Status != payment.Settled {
		return fmt.Errorf("after the restart %s is %s", s.one, p.Status)
	}
	if err := s.archived(ctx); err != nil {
		return fmt.Errorf("after the restart: %w", err)
	}
	return s.console(ctx, s.one)
}
