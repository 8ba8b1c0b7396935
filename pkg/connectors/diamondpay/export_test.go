package diamondpay

import (
	"payonce/pkg/connectors"
	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/payment"
)

// Submitted reads an answer without the network, which disturbs a fuzzer's coverage.
func (c *Connector) Submitted(cmd payment.Command, reply httpcall.Reply) (payment.Observation, error) {
	return c.submitted(cmd, reply)
}

// Answered does the same for a query.
func (c *Connector) Answered(q connectors.Query, reply httpcall.Reply) (payment.Observation, error) {
	return c.answered(q, c.queryVersions(q)[0], reply)
}

// WithoutTrailingCommas shows the repair of answers to its tests.
var WithoutTrailingCommas = withoutTrailingCommas

// SnakeCase shows the renaming of answers to its tests.
var SnakeCase = snakeCase

// ReadBalance reads an answer about the balance without the network.
func (c *Connector) ReadBalance(reply httpcall.Reply) (connectors.Balance, error) {
	return c.balance(reply)
}
