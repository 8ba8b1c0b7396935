package faults

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"payonce/internal/testenv"
	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
)

// A secret that was configured wrongly fails nobody: the payments wait, and go on by themselves when the file holds
// the right secret. Nothing is restarted.
func TestAWrongSecretFailsNoPayment(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.unhurried()
	text, err := os.ReadFile(s.config)
	s.must(err)
	before, after, found := strings.Cut(string(text), "\n  "+testenv.DiamondPayV1+":\n")
	if !found {
		t.Fatalf("no account %s in the configuration", testenv.DiamondPayV1)
	}
	changed := before + "\n  " + testenv.DiamondPayV1 + ":\n" + strings.Replace(after, "keys/shared_secret", "keys/changing_secret", 1)
	if !strings.Contains(changed, "reload_every: ") {
		changed += "reload_every: 1s\n"
	}
	dir := filepath.Dir(s.config)
	secretFile := filepath.Join(dir, "keys", "changing_secret")
	s.must(os.WriteFile(secretFile, []byte("this-is-not-the-accounts-secret"), 0o600))
	s.config = filepath.Join(dir, "wrong-secret.yaml")
	s.must(os.WriteFile(s.config, []byte(changed), 0o600))
	s.worker(s.programs.worker)
	ctx, cancel := context.WithTimeout(t.Context(), 2*timeout)
	defer cancel()
	var orders []order
	for i := range 4 {
		o := order{payment.Ref{Provider: testenv.DiamondPayV1, Order: fmt.Sprintf("ours-%d", i)}, payment.Deposit}
		orders = append(orders, o)
		s.publish(ctx, o)
	}
	for _, o := range orders {
		s.reached(ctx, t, o, func(now payment.Payment) bool {
			return now.Status == payment.Parked && now.Reason.Code == payment.ReasonAccountMisconfigured
		})
	}
	s.must(os.WriteFile(secretFile, []byte(s.keys.SharedSecret()), 0o600))
	for _, o := range orders {
		_, err := s.sandbox.WaitFor(ctx, o.ref.Provider, o.ref.Order, sandbox.ChargedTimes(1))
		s.must(err)
		s.check(o, s.ended(ctx, o))
	}
}
