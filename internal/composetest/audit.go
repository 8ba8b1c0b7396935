package main

import (
	"context"
	"fmt"
)

// audit looks at the whole from outside once more: the sandbox's books hold exactly the payments that were made, the
// streams are as declared, with their replicas, and with profile ha another Redis is the master.
func (s *stack) audit(ctx context.Context) error {
	books, err := s.shop.Books(ctx)
	if err != nil {
		return fmt.Errorf("the sandbox's books: %w", err)
	}
	fmt.Printf("==> the sandbox's books: %d orders, %d charges, charged more than once: %d\n", books.Orders, books.Charges, len(books.ChargedTwice))
	if books.Orders != s.payments || books.Charges != s.payments || len(books.ChargedTwice) > 0 {
		return fmt.Errorf("%d payments were made, and the sandbox's books say: %+v", s.payments, books)
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
