package faults

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"payonce/pkg/payment"
	"payonce/test/natstest"
	"payonce/test/testenv"
)

// small is a system whose nats-server stores on a disk that can be full.
type small struct {
	*system
	disk   *natstest.Disk
	admins map[string]string // by service
}

func startSmall(t *testing.T) *small {
	disk := natstest.NewDisk(t, 48<<20)
	s := &small{system: prepare(t, testenv.NATSOptions{Store: disk.Dir}), disk: disk, admins: map[string]string{}}
	for _, service := range []string{"ingress", "worker"} {
		s.admins[service] = s.Admin(service)
	}
	s.Edit("\ningress:\n", "\ningress:\n  backend_timeout: 1s\n", "\nnats:\n", "\nnats:\n  dead_letters_bytes: 1048576\n") // the server reserves them
	s.startIngress()
	return s
}

// post sends a command to the ingress as an upstream does, and returns the status of the answer.
func (s *small) post(ctx context.Context, o order) int {
	s.t.Helper()
	body := testenv.Variant{Account: testenv.TeemoPay, Method: "va", Operation: payment.Deposit, Amount: payment.KRW(10_000)}.Command(o.ref)
	status, _ := s.Post(ctx, "/v1/deposits", body)
	return status
}

// accept sends a command until it is accepted.
func (s *small) accept(ctx context.Context, o order) {
	s.t.Helper()
	for {
		switch status := s.post(ctx, o); status {
		case http.StatusAccepted:
			return
		case http.StatusServiceUnavailable: // the server has just been started
		default:
			s.t.Fatalf("%s: status %d", o.ref, status)
		}
	}
}

// untilReady waits until a service is ready, or not ready because of the streams that are named.
func (s *small) untilReady(ctx context.Context, service string, failing ...string) {
	s.t.Helper()
	s.happens(ctx, fmt.Sprintf("/readyz of %s, failing %v", service, failing), func() bool {
		status, text := s.Get(ctx, "http://"+s.admins[service]+"/readyz")
		as := status != 0 && (status == http.StatusOK) == (len(failing) == 0)
		for _, stream := range failing {
			as = as && strings.Contains(text, stream+" not writable since ") && strings.Contains(text, "then restart it")
		}
		return as
	})
}

// The disk of the only nats-server is really full while payments are under way: what was accepted is kept, what is
// not kept is refused, and readiness is off on both sides. With room again, a restart of nats-server is all that
// it takes.
func TestFullDiskUnderPayments(t *testing.T) {
	t.Parallel()
	ctx := within(t, timeout)
	s := startSmall(t)
	worker := s.worker()
	orders := make([]order, 6)
	for i := range orders {
		orders[i] = order{payment.Ref{Provider: testenv.TeemoPay, Order: fmt.Sprintf("disk-%d", i)}, payment.Deposit}
	}
	s.accept(ctx, orders[0])
	s.ended(ctx, orders[0])
	s.Must(worker.Signal(syscall.SIGSTOP)) // so that the next ones are accepted and not begun
	for _, o := range orders[1:4] {
		s.accept(ctx, o)
	}
	s.disk.Fill()
	s.Must(worker.Signal(syscall.SIGCONT))
	for i, o := range orders[4:] {
		for n := 0; s.post(ctx, o) != http.StatusServiceUnavailable; n++ { // the last page of the file may take one more
			o.ref.Order = fmt.Sprintf("disk-%d-%d", 4+i, n)
			orders = append(orders, o)
		}
	}
	s.untilReady(ctx, "ingress", "COMMANDS")
	s.untilReady(ctx, "worker", "PAYMENTS")
	s.disk.MakeRoom()
	s.nats.Stop()
	s.nats.Start()
	s.untilReady(ctx, "ingress")
	s.untilReady(ctx, "worker")
	for _, o := range orders { // the upstream sends again what was refused; the rest it may send again
		s.accept(ctx, o)
	}
	s.settleOnce(ctx, orders...)
}
