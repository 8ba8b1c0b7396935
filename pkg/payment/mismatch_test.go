package payment_test

import (
	"testing"
	"time"

	"payonce/pkg/payment"
)

// After the provider spoke of another amount, a bare "paid" does not say how much was paid, and the
// ordered amount would be a guess.
func TestBarePaidDoesNotEndADoubtAboutTheAmount(t *testing.T) {
	at := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	doubted := payment.Payment{
		Ref: payment.Ref{Provider: "acme-kr", Order: "o-1"}, Operation: payment.Deposit, Status: payment.InDoubt, Revision: 2,
		Amount: payment.KRW(10_000), Known: true, Reason: &payment.Reason{Code: payment.ReasonAmountMismatch}, UpdatedAt: at,
	}
	if next, changed, err := payment.Decide(doubted, payment.Observation{Kind: payment.Paid}, at); err != nil || changed {
		t.Errorf("a bare paid: %s, %v", next.Status, err)
	}
	for name, o := range map[string]payment.Observation{
		"settled amount": {Kind: payment.Paid, SettledAmount: payment.KRW(9_000)},
		"transfer":       {Kind: payment.Paid, Transfers: []payment.Transfer{{Reference: "r-1", Amount: payment.KRW(9_000)}}},
	} {
		next, _, err := payment.Decide(doubted, o, at)
		if err != nil || next.Status != payment.Settled || next.SettledAmount != payment.KRW(9_000) {
			t.Errorf("%s: %s of %s, %v", name, next.Status, next.SettledAmount, err)
		}
	}
	doubted.Reason = &payment.Reason{Code: payment.ReasonNoAnswer}
	if next, _, err := payment.Decide(doubted, payment.Observation{Kind: payment.Paid}, at); err != nil || next.SettledAmount != payment.KRW(10_000) {
		t.Errorf("a bare paid after a lost answer: %s of %s, %v", next.Status, next.SettledAmount, err)
	}
}
