package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
	"payonce/test/testenv"
)

// A secret that was configured wrongly fails no payment: the payments wait, and go on by themselves when the file holds
// the right secret. Nothing is restarted.
func TestAWrongSecretFailsNoPayment(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.Unhurried()
	secretFile := filepath.Join(s.Dir, "keys", "changing_secret")
	s.Must(os.WriteFile(secretFile, []byte("this-is-not-the-accounts-secret"), 0o600))
	account := s.At.Sandbox + "/" + testenv.DiamondPayV1 + "\n      platform_id: " + testenv.PlatformID + "\n      secret_file: "
	s.Edit(account+"keys/shared_secret", account+"keys/changing_secret", "\nnats:\n", "\nreload_every: 1s\nnats:\n")
	s.worker()
	ctx := within(t, 2*timeout)
	var orders []order
	for i := range 4 {
		o := order{payment.Ref{Provider: testenv.DiamondPayV1, Order: fmt.Sprintf("ours-%d", i)}, payment.Deposit}
		orders = append(orders, o)
		s.publish(ctx, o)
	}
	for _, o := range orders {
		s.Until(ctx, o.ref, "parked for its account", func(now payment.Payment) bool {
			return now.Status == payment.Parked && now.Reason.Code == payment.ReasonAccountMisconfigured
		})
	}
	s.Must(os.WriteFile(secretFile, []byte(s.Keys.SharedSecret()), 0o600))
	for _, o := range orders {
		_, err := s.Sandbox.WaitFor(ctx, o.ref.Provider, o.ref.Order, sandbox.ChargedTimes(1))
		s.Must(err)
		s.settleOnce(ctx, o)
	}
}
