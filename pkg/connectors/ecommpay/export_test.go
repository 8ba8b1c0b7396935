package ecommpay

import (
	"bytes"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/payment"
	"payonce/pkg/secret"
)

// CompareNatural is the order of PHP's SORT_NATURAL.
func CompareNatural(a, b string) int {
	return bytes.Compare(appendNatural(nil, a), appendNatural(nil, b))
}

// Work returns how much sorting and hashing it took to verify or refuse a callback.
func (c *Connector) Work(body []byte) (compared, hashed int) {
	root, err := parseReceived(body, webhookLimits)
	if err != nil {
		return 0, 0
	}
	signature, err := signatureIn(root)
	if err != nil {
		return 0, 0
	}
	signed, err := signedText(root, webhookText)
	if err != nil {
		return 0, 0
	}
	signed.fits(c.keys, signature)
	return signed.work.compared, signed.work.hashed
}

// Link makes a link to the Payment Page from names and values.
func Link(page string, key secret.Value, namesAndValues ...string) string {
	var parameters []parameter
	for i := 0; i < len(namesAndValues); i += 2 {
		parameters = append(parameters, parameter{name: namesAndValues[i], value: namesAndValues[i+1]})
	}
	return signedLink(page, parameters, key)
}

// Accepted reads an answer of Gate without the network, which disturbs a fuzzer's coverage.
func (c *Connector) Accepted(cmd payment.Command, reply httpcall.Reply) *connectors.Error {
	return c.accepted(cmd.Order, cmd, reply)
}

// Answered does the same for a query.
func (c *Connector) Answered(q connectors.Query, reply httpcall.Reply) (payment.Observation, *connectors.Error) {
	return c.answered(q, reply)
}

// ReadBanks reads a list of banks without the network.
var ReadBanks = readBanks

// Statuses returns the table of payment statuses.
func Statuses() map[string]payment.Kind { return paymentStatuses }

// DocumentedCodes returns how many codes the table holds, and whether it has this one.
func DocumentedCodes(code string) (n int, known bool) {
	_, known = codes[code]
	return len(codes), known
}
