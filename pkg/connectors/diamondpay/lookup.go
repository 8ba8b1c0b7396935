package diamondpay

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/connectors/masking"
	"payonce/pkg/connectors/strictjson"
	"payonce/pkg/payment"
)

// Lookup asks by our order number (showdoc and apayasia, order queries). v1 answers with a list of signed
// rows, v2 with one unsigned order. No page says that one version knows the orders of the other, so each that the order
// can have been sent to is asked until one knows it, and the order is unknown when none does. An error is a
// [*connectors.Error] in doubt or not sent, and says that nothing was learned.
func (c *Connector) Lookup(ctx context.Context, q connectors.Query) (payment.Observation, error) {
	if err := q.Validate(); err != nil || !q.Operation.Valid() {
		return payment.Observation{}, fmt.Errorf("look up %s: not a valid query: %w", q.Ref, notSent(payment.ReasonInvalid, err))
	}
	var unknown payment.Observation
	var failed error
	for _, version := range c.queryVersions(q) {
		o, err := c.lookup(ctx, q, version)
		switch {
		case err != nil && failed == nil:
			failed = fmt.Errorf("look up %s: %w", q.Ref, err)
		case err == nil && o.Kind != payment.Unknown:
			return o, nil
		case err == nil:
			unknown = o
		}
	}
	if failed != nil {
		return payment.Observation{}, failed
	}
	return unknown, nil
}

// lookup asks one version.
func (c *Connector) lookup(ctx context.Context, q connectors.Query, version string) (payment.Observation, error) {
	reply, err := c.get(ctx, queryPath(q, version))
	if err != nil {
		return payment.Observation{}, err
	}
	o, err := c.answered(q, version, reply)
	if err == nil && o.Kind == payment.Unknown && reply.Reused { // it names no order, and can be the answer to another question
		return c.lookup(httpcall.OwnConnection(ctx), q, version)
	}
	return o, err
}

// queryVersions returns the versions of the API that can know an order.
func (c *Connector) queryVersions(q connectors.Query) (versions []string) {
	if q.Operation == payment.Payout {
		return []string{c.settings.PayoutQueryVersion}
	}
	for _, at := range c.settings.interfaces() {
		if (at.currency == q.Amount.Currency || !slices.Contains(c.settings.Currencies, q.Amount.Currency)) && !slices.Contains(versions, at.version) {
			versions = append(versions, at.version)
		}
	}
	return versions
}

// currencyOf returns the currency of an order's amounts, which the provider does not name: the ordered one, or the only
// one of the account; empty where that is not known.
func (c *Connector) currencyOf(operation payment.Operation, ordered string) string {
	switch {
	case operation == payment.Payout:
		return krw
	case len(c.settings.Currencies) == 1:
		return c.settings.Currencies[0]
	case slices.Contains(c.settings.Currencies, ordered):
		return ordered
	}
	return ""
}

func queryPath(q connectors.Query, version string) string {
	kind := kindOf(q.Operation)
	path := "/gateway/api/" + version + "/" + kind + "s"
	if version == v1 {
		return path + "?" + url.Values{kind + "_cl_id": {q.Order}}.Encode()
	}
	return path + "/" + url.PathEscape(q.Order)
}

// kindOf is how the provider begins the names of an operation: payment_cl_id, payout_cl_id.
func kindOf(operation payment.Operation) string {
	if operation == payment.Payout {
		return "payout"
	}
	return "payment"
}

// answered reads the answer to a query.
func (c *Connector) answered(q connectors.Query, version string, reply httpcall.Reply) (payment.Observation, error) {
	env, bad := c.envelope(reply)
	if bad != nil {
		return payment.Observation{}, bad
	}
	switch {
	case slices.Contains(unknownOrder[q.Operation], env.code) && env.empty():
		return c.unknown(env.code), nil
	case env.code != codeProcessed:
		return payment.Observation{}, indeterminate(masking.Code(env.code), masking.Text(env.message, payment.Command{}), "no answer to a query")
	case version == v1:
		return c.answeredList(q, env)
	}
	data, err := env.body.object("data")
	if err != nil || len(data) == 0 {
		return payment.Observation{}, indeterminate(env.code, "", "the answer has no data")
	}
	f, err := c.order(data, data.missing(signName)) // v2 documents no signature
	if err != nil || f[kindOf(q.Operation)+"_cl_id"] != q.Order {
		return payment.Observation{}, indeterminate(env.code, "", problem(err, "the answer does not name our order"))
	}
	return c.observed(payment.FromLookup, q.Operation, c.currencyOf(q.Operation, q.Amount.Currency), f), nil
}

// unknown is the provider's word that it does not know an order.
func (c *Connector) unknown(code string) payment.Observation {
	return payment.Observation{
		Kind: payment.Unknown, Source: payment.FromLookup, Settling: c.settings.SettlingDelay,
		Reason: &payment.Reason{Code: payment.ReasonNotFound, ProviderCode: code},
	}
}

// answeredList reads the rows of v1. An empty list says that the order does not exist; a list without
// our order says nothing, because then the filter was not applied.
func (c *Connector) answeredList(q connectors.Query, env envelope) (payment.Observation, error) {
	rows, length, ok := env.body.rows("data")
	total, hasTotal := env.body.fields()["total"]
	switch {
	case !ok:
		return payment.Observation{}, indeterminate(env.code, "", "the answer has no list of orders")
	case length == 0 && (hasTotal && total != "0" || strictjson.Filled(env.body["total"])):
		return payment.Observation{}, indeterminate(env.code, "", "the list is empty, and its total is not 0")
	case length == 0:
		return c.unknown(env.code), nil
	}
	var found []fields
	for row, err := range rows {
		var f fields
		if err == nil {
			f, err = c.order(row, false)
		}
		if err != nil {
			return payment.Observation{}, indeterminate(env.code, "", problem(err, ""))
		}
		if f[kindOf(q.Operation)+"_cl_id"] == q.Order {
			found = append(found, f)
		}
	}
	switch len(found) {
	case 0:
		return payment.Observation{}, indeterminate(env.code, "", "the answer does not name our order")
	case 1:
		return c.observed(payment.FromLookup, q.Operation, c.currencyOf(q.Operation, q.Amount.Currency), found[0]), nil
	}
	return doubtful(payment.FromLookup, q.Operation, found[0], "the list has our order more than once"), nil
}

// order returns the fields of an order that was asked for: verified, unless it is allowed to have no
// signature, and of our account.
func (c *Connector) order(o object, unsigned bool) (f fields, err error) {
	f = o.withUnreadable(o.fields())
	if !unsigned {
		if f, _, err = o.verifiedNames(c.settings.SignType, c.settings.secrets()); err != nil {
			return nil, err
		}
	}
	if platform, named := f["platform_id"]; platform != c.settings.PlatformID && (named || !unsigned) {
		return nil, errors.New("the order belongs to another platform")
	}
	return f, nil
}

func problem(err error, otherwise string) string {
	if err != nil {
		return err.Error()
	}
	return otherwise
}

// observed reads the state of an order from a query or a notification. It is only believed to be paid
// with its amount, so that it can be compared with ours; a deposit also with the real_amount, which is
// what is to be credited (KRW deposit page, v1), where an older payout may have none.
func (c *Connector) observed(source payment.Source, operation payment.Operation, currency string, f fields) payment.Observation {
	if currency == "" {
		return doubtful(source, operation, f, "the provider names no currency, and this account has several or another one")
	}
	if named := f["currency"]; named != "" && !strings.EqualFold(named, currency) {
		return doubtful(source, operation, f, "the provider names another currency than was ordered")
	}
	amount, err := f.amount("amount", currency)
	arrived, err2 := f.amount("real_amount", currency)
	if err := errors.Join(err, err2); err != nil {
		return doubtful(source, operation, f, "an amount cannot be read")
	}
	o := payment.Observation{Source: source, Reference: reference(operation, f), Amount: amount}
	if operation == payment.Deposit {
		o.AmountTolerance = c.settings.tolerance(currency)
	}
	switch c.statuses[operation][f["status"]] {
	case statusPending:
		o.Kind = payment.Accepted
		if operation == payment.Deposit && source == payment.FromLookup { // only the answer to the create request says where to pay
			o.Reason = &payment.Reason{Code: payment.ReasonNoInstructions, Message: "the customer got no payment instructions"}
		}
	case statusPaid:
		credited := arrived.Minor > 0 || arrived.IsZero() && operation == payment.Payout
		switch {
		case amount.Minor == 0 || !credited:
			return doubtful(source, operation, f, "paid, but an amount is missing or zero")
		case hundredfold(arrived, amount):
			return doubtful(source, operation, f, "paid, but real_amount is about 1/100 or 100 times the amount: perhaps in another unit")
		}
		o.Kind, o.SettledAmount, o.Report = payment.Paid, arrived, f.reported(operation, currency)
	case statusFailed:
		if arrived.Minor > 0 {
			return doubtful(source, operation, f, "not paid, but money moved")
		}
		o.Kind = payment.Declined
		o.Reason = &payment.Reason{Code: payment.ReasonDeclined, ProviderCode: f["status"], Message: masking.Text(f["error_msg"], payment.Command{})}
	default:
		return doubtful(source, operation, f, "no page documents this status")
	}
	return o
}

// reference is the provider's number of an order; empty where it cannot be kept.
func reference(operation payment.Operation, f fields) string {
	return connectors.Reference(f[kindOf(operation)+"_id"])
}

// doubtful is an answer about our order whose meaning no document gives.
func doubtful(source payment.Source, operation payment.Operation, f fields, why string) payment.Observation {
	return payment.Observation{
		Kind: payment.Indeterminate, Source: source, Reference: reference(operation, f), Known: true,
		Reason: &payment.Reason{Code: payment.ReasonIndeterminate, ProviderCode: masking.Code(f["status"]), Message: why},
	}
}
