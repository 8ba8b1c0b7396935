package admin

import (
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
)

// balanceStream defines the stream of balances, which keeps them as long as the log keeps payments.
func balanceStream(c jetstream.Config) njs.StreamConfig {
	balances := baseStream(c, events.StreamBalances, "What providers told of the merchant's accounts", events.BalancesOfAll)
	balances.MaxAge, balances.MaxMsgSize = c.PaymentRetention, events.MaxBalanceBytes
	balances.DenyDelete, balances.DenyPurge = true, true
	return balances
}

// balanceConsumers returns the ledgers' consumers of BALANCES. They are named like their consumers of PAYMENTS.
func balanceConsumers(c jetstream.Config) (all []njs.ConsumerConfig) {
	for _, ledger := range c.Ledgers {
		name := LedgerConsumer(ledger)
		all = append(all, njs.ConsumerConfig{
			Name: name, Durable: name, Description: "Balances for the ledger " + ledger,
			DeliverPolicy: njs.DeliverAllPolicy, AckPolicy: njs.AckExplicitPolicy, AckWait: c.AckWait,
			MaxDeliver: -1, MaxAckPending: c.MaxAckPending, MaxWaiting: jetstream.MaxWaiting, FilterSubjects: []string{events.BalancesOfAll},
		})
	}
	return all
}
