package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"payonce/pkg/payment"
	"payonce/test/testenv"
	"payonce/test/testmerchant"
)

// held is how many payments the provider holds in the middle of a call when a worker is killed. Workers take them
// in turn, so that each has some.
const held = 8

// heldPayment is one way of paying in which no customer takes part.
var heldPayment = testenv.Variant{Account: testenv.TeemoPay, Method: "bank_transfer", Operation: payment.Payout, Amount: payment.KRW(10_000)}

// killInCalls kills a worker while it waits for the provider's answer. What becomes of the payments that it had in
// hand is seen while the others go on, by afterKill.
func (s *stack) killInCalls(ctx context.Context) error {
	worker, err := s.container(ctx, "worker") // now: workers wait for an answer for 5 seconds only
	if err != nil {
		return err
	}
	refs := make([]payment.Ref, held)
	for i := range refs {
		refs[i] = payment.Ref{Provider: heldPayment.Account, Order: fmt.Sprintf("K%d-%d", time.Now().Unix(), i+1)}
	}
	var calls errgroup.Group
	for _, ref := range refs {
		calls.Go(func() error { return errors.Join(s.shop.Hold(ctx, heldPayment, ref), s.shop.Charged(ctx, ref)) })
	}
	if err := errors.Join(calls.Wait(), kill(ctx, worker)); err != nil {
		return err
	}
	s.aftermath.Go(func() error { return s.afterKill(ctx, refs) })
	return nil
}

// afterKill sees that the killed worker had payments in flight: they are recorded as sent when those of the other worker
// have long been found to be in doubt. Another worker must ask the provider for them, and not send them again.
func (s *stack) afterKill(ctx context.Context, refs []payment.Ref) error {
	cut, err := s.cut(ctx, refs)
	if err != nil {
		return err
	}
	fmt.Printf("==> %d of %d payments were in the hands of the killed worker\n", cut, held)
	if cut == 0 {
		return fmt.Errorf("the killed worker had none of %d payments in flight", held)
	}
	s.taken = make([]testmerchant.Outcome, held)
	var group sync.WaitGroup
	for i, ref := range refs {
		group.Go(func() { s.taken[i] = s.shop.Pay(ctx, heldPayment, ref.Order) })
	}
	group.Wait()
	return nil
}

// cut counts the payments that are still sent and not answered when a living worker would have given up waiting.
func (s *stack) cut(ctx context.Context, refs []payment.Ref) (count int, err error) {
	select { // worker.submit_timeout of deploy/docker/test.yaml is 5s, and a killed worker's messages come back after 20s
	case <-time.After(8 * time.Second):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	for _, ref := range refs {
		p, err := s.shop.Payment(ctx, ref)
		if err != nil {
			return 0, err
		}
		if p.Status == payment.Submitting {
			count++
		}
	}
	return count, nil
}
