package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
	"payonce/pkg/status"
	"payonce/test/testenv"
)

// An operator asks which payments need a person, and why: within a minute of a conflict the answer has it, with what to do.
// The worker that is killed then is not shown any more, and the question is answered all the same.
func TestWhichPaymentsNeedAPerson(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	payctl := shipped(t, "payctl")
	ask := func(ctx context.Context, args ...string) string {
		var problems bytes.Buffer
		command := exec.CommandContext(ctx, payctl, append([]string{"status", "--config", s.Config}, args...)...)
		command.Stderr = &problems
		out, err := command.Output()
		if err != nil {
			t.Fatalf("payctl status: %v: %s", err, problems.String())
		}
		return string(out)
	}
	answer := func(ctx context.Context, what string, is func(status.Report) bool) {
		t.Helper()
		for {
			var report status.Report
			s.Must(json.Unmarshal([]byte(ask(ctx, "--json")), &report))
			if is(report) {
				return
			}
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				t.Fatalf("payctl status does not say %s: %+v", what, report)
			}
		}
	}
	worker := s.worker()
	o := order{payment.Ref{Provider: testenv.TeemoPay, Order: "paid-twice"}, payment.Deposit}
	s.Must(s.Sandbox.SetFaults(o.ref.Provider, o.ref.Order, sandbox.Fault{Name: sandbox.Multi}))
	s.publish(ctx, o)
	s.Until(ctx, o.ref, "in conflict", func(p payment.Payment) bool { return p.Status == payment.Conflict })
	soon, late := context.WithTimeout(ctx, time.Minute)
	defer late()
	answer(soon, "that the payment needs a person", func(r status.Report) bool {
		return slices.ContainsFunc(r.Attention, func(i status.Item) bool {
			return i.Order == o.ref.Order && i.Status == payment.Conflict && i.Reason == payment.ReasonExtraTransfer
		})
	})
	text := ask(ctx)
	for _, want := range []string{"1 matter needs a person", "payctl payment resolve " + testenv.TeemoPay + " paid-twice --settled or --failed", "worker@", "ingress@"} {
		if !strings.Contains(text, want) {
			t.Errorf("payctl status does not say %q:\n%s", want, text)
		}
	}
	worker.Kill()
	answer(ctx, "that no worker lives", func(r status.Report) bool {
		return len(r.Processes) == 1 && len(r.Attention) == 1 && slices.Contains(r.Warnings, "no worker lives: nothing is executed")
	})
}
