package faults

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"payonce/internal/testenv"
	"payonce/pkg/events"
	"payonce/pkg/payment"
)

const deploys = 5

// Workers are stopped and started five times, each time in the middle of a payment's tries, while the
// provider cannot be reached. That costs no payment an attempt or a wait; when the provider is back each is
// sent once.
func TestDeploysCostNoAttempt(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	dark := s.unreachable(ctx)
	var orders []order
	add := func(name string) order {
		o := order{payment.Ref{Provider: testenv.TeemoPay, Order: name}, payment.Operations()[len(orders)%2]}
		orders = append(orders, o)
		s.publish(ctx, o)
		return o
	}
	for n := range 20 {
		add(fmt.Sprintf("deploy-load-%02d", n))
	}
	for n := range deploys {
		old := s.worker(s.programs.worker)
		s.submitting(ctx, add(fmt.Sprintf("deploy-%d", n)))
		s.must(old.Stop(testenv.StopTimeout))
	}
	s.lightUp(dark)
	s.worker(s.programs.worker)
	withdrawn := 0
	for _, o := range orders {
		records := s.ended(ctx, o)
		s.check(o, records)
		withdrawn += s.checkAttempts(o, records)
		truth, err := s.sandbox.Order(o.ref.Provider, o.ref.Order)
		s.must(err)
		if truth.Creates != 1 {
			t.Errorf("%s: the provider got %d requests", o.ref, truth.Creates)
		}
	}
	if withdrawn == 0 {
		t.Error("no worker was stopped in the middle of its tries: nothing was tested")
	}
	t.Logf("%d payments, %d deploys, %d attempts reversed", len(orders), deploys, withdrawn)
}

// checkAttempts makes sure that every attempt counts but those that were reversed, which are returned.
func (s *system) checkAttempts(o order, records []events.Record) (withdrawn int) {
	s.t.Helper()
	attempts := 0
	for i, r := range records {
		p := r.Payment
		if p.Status == payment.Submitting {
			attempts++
		}
		if p.Status == payment.Parked && p.Reason.Code == payment.ReasonStopping {
			withdrawn++
			attempts--
			if p.ResumeAt.After(p.UpdatedAt) || records[i+1].Payment.Status != payment.Submitting {
				s.t.Errorf("%s: reversed at %s to wait until %s, then %s", o.ref, p.UpdatedAt, p.ResumeAt, records[i+1].Payment.Status)
			}
		}
		if p.Attempts != attempts {
			s.t.Errorf("%s: event %d (%s) has %d attempts, want %d", o.ref, i+1, p.Status, p.Attempts, attempts)
		}
	}
	return withdrawn
}

// unreachable gives the workers a configuration in which nobody listens where TeemoPay should be. Its breaker
// is off, so that they keep trying.
func (s *system) unreachable(ctx context.Context) (address string) {
	s.t.Helper()
	text, err := os.ReadFile(s.config)
	s.must(err)
	address = s.free(ctx)
	edited := string(text)
	begin := strings.Index(edited, "base_url: ")
	end := begin + strings.Index(edited[begin:], "\n")
	edited = edited[:begin] + "base_url: http://" + address + "/" + testenv.TeemoPay + edited[end:]
	breakerOff := strings.Replace(edited, "breaker: {open_for: 2s}", "breaker: {off: true}", 1)
	if !strings.HasSuffix(string(text)[begin:end], "/"+testenv.TeemoPay) || breakerOff == edited {
		s.t.Fatal("the test environment's file is another one")
	}
	s.config = filepath.Join(s.dir, "unreachable.yaml")
	s.must(os.WriteFile(s.config, []byte(breakerOff), 0o600))
	return address
}

// lightUp lets the sandbox listen at an address.
func (s *system) lightUp(address string) {
	s.t.Helper()
	listener, err := net.Listen("tcp", address)
	s.must(err)
	server := &http.Server{Handler: s.sandbox, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }()
	s.t.Cleanup(func() { _ = server.Close() })
}

// submitting waits until a worker tries to send the payment.
func (s *system) submitting(ctx context.Context, o order) {
	s.t.Helper()
	changed, stop := s.log.Watch(o.ref)
	defer stop()
	for {
		p, _, err := s.log.Last(ctx, o.ref)
		if err == nil && p.Status == payment.Submitting {
			return
		}
		select {
		case <-changed:
		case <-time.After(5 * time.Second): // a replica may lag behind the watch
		case <-ctx.Done():
			s.t.Fatalf("%s is not tried: status %q, %v", o.ref, p.Status, err)
		}
	}
}
