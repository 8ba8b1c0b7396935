package deploytest

import (
	"strings"
	"testing"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/internal/app"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/payment"
	"payonce/test/testenv"
)

// A worker asks the provider for its balance and publishes it, with the rights that deploy/nats gives it, and a ledger reads it with its
// own.
func TestBalancesOnOneServer(t *testing.T) {
	b := startBroker(t, "node.conf", "nats-1")
	s := startSystem(t, b, 1)
	own := s.config(t, s.Config, "worker", 1)
	rewrite(t, own, func(text string) string {
		return strings.Replace(text, "    kind: teemopay\n", "    kind: teemopay\n    balance_interval: 1m\n", 1)
	})
	s.stopWorker()
	s.run(t, app.Worker(), own)
	js, err := njs.NewWithAPIPrefix(s.login(t, "ledger-"+accounting), "PAYONCE")
	testenv.Must(t, err)
	consumer, err := js.Consumer(bounded(t), events.StreamBalances, admin.LedgerConsumer(accounting))
	testenv.Must(t, err)
	m, err := consumer.Next(njs.FetchMaxWait(timeout))
	if err != nil {
		t.Fatalf("no balance: %v\n%s", err, s.logs)
	}
	r, err := events.DecodeBalance(m.Data())
	if err != nil || m.Subject() != "balance.reported."+testenv.TeemoPay || r.Provider != testenv.TeemoPay || len(r.Balances) != 1 ||
		r.Balances[0].Available.Currency != "KRW" || r.Balances[0].Available == payment.KRW(0) || m.Headers().Get("ce-type") != events.BalanceType {
		t.Errorf("%s %s: %+v, %v", m.Subject(), m.Data(), r, err)
	}
	testenv.Must(t, m.DoubleAck(bounded(t)))
}
