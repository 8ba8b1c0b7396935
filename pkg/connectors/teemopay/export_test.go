package teemopay

import (
	"payonce/pkg/connectors"
	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/payment"
)

// Submitted reads an answer without the network, which a fuzzer's coverage cannot stand.
func (c *Connector) Submitted(cmd payment.Command, reply httpcall.Reply) (payment.Observation, error) {
	return c.submitted(cmd, reply)
}

// Answered does the same for a query.
func (c *Connector) Answered(q connectors.Query, reply httpcall.Reply) (payment.Observation, error) {
	return c.answered(q, reply)
}

// ReadStatement reads a page of the statement without the network.
func ReadStatement(page []byte, op payment.Operation) ([]connectors.StatementLine, string, error) {
	data, err := parseObject(page)
	if err != nil {
		return nil, "", err
	}
	return readStatement(data, op, "")
}

// ReadBalance reads what the account holds without the network.
func ReadBalance(answer []byte) (connectors.Balance, error) {
	data, err := parseObject(answer)
	if err != nil {
		return connectors.Balance{}, err
	}
	return readBalance(data)
}
