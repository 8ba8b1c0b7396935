package teemopay

import (
	"context"
	"fmt"
	"strconv"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/connectors/masking"
	"payonce/pkg/payment"
)

// The paths of the queries (korea/payin/query, korea/payout/query).
const (
	depositQueryPath = "/api/pay/payment/query/v1"
	payoutQueryPath  = "/api/pay/payout/query/v1"
)

// queryRequest is the body of both queries.
type queryRequest struct {
	MerchantOrderNo string `json:"merchantOrderNo"`
}

// Lookup asks by our order number. An error is a [*connectors.Error] in doubt or not sent, and says that
// nothing was learned.
func (c *Connector) Lookup(ctx context.Context, q connectors.Query) (payment.Observation, error) {
	if err := q.Validate(); err != nil || !q.Operation.Valid() {
		return payment.Observation{}, fmt.Errorf("look up %s: not a valid query: %w", q.Ref, notSent(payment.ReasonInvalid, err))
	}
	path := depositQueryPath
	if q.Operation == payment.Payout {
		path = payoutQueryPath
	}
	reply, err := c.call(ctx, path, queryRequest{MerchantOrderNo: q.Order})
	if err != nil {
		return payment.Observation{}, fmt.Errorf("look up %s: %w", q.Ref, err)
	}
	o, err := c.answered(q, reply)
	if err != nil {
		return payment.Observation{}, fmt.Errorf("look up %s: %w", q.Ref, err)
	}
	if o.Kind == payment.Unknown && reply.Reused { // it names no order, and can be the answer to another question
		return c.Lookup(httpcall.OwnConnection(ctx), q)
	}
	return o, nil
}

// answered reads the answer to a query.
func (c *Connector) answered(q connectors.Query, reply httpcall.Reply) (payment.Observation, error) {
	env, bad := c.envelope(reply)
	if bad != nil {
		return payment.Observation{}, bad
	}
	f, _ := env.data.fields()
	switch {
	case notFound(q.Operation, env):
		return payment.Observation{
			Kind: payment.Unknown, Source: payment.FromLookup, Settling: c.settings.SettlingDelay,
			Reason: &payment.Reason{Code: payment.ReasonNotFound, ProviderCode: strconv.Itoa(env.code)},
		}, nil
	case env.code != codeProcessed:
		return payment.Observation{}, indeterminate(masking.Code(strconv.Itoa(env.code)), masking.Text(env.message, payment.Command{}), "no answer to a query")
	case f["merchantOrderNo"] != q.Order:
		return payment.Observation{}, indeterminate("200", "", "the answer does not name our order")
	case q.Operation == payment.Payout:
		return payoutObservation(payment.FromLookup, f), nil
	}
	return c.depositObservation(f, env.data), nil
}

// notFound recognises the documented answers for an order that does not exist: 434 (zh korea/payin/query,
// zh korea/payout/query), and code 400 with exactly this text for a payout (en korea/payout/query).
func notFound(operation payment.Operation, env envelope) bool {
	if len(env.data) > 0 {
		return false
	}
	return env.code == 434 || operation == payment.Payout && env.code == 400 && env.message == "Order not found"
}

// depositObservation reads a deposit query: status 1 in payment, 2 paid, 3 failed (korea/payin/query),
// and 0 for a KYC deposit (zh korea/payin/create). transactionAmount is what was ordered, amount what
// was received, and statementList the single payments.
func (c *Connector) depositObservation(f fields, data object) payment.Observation {
	var report payment.Report
	transfers, total, err := readTransfers(data, &report)
	ordered, err2 := f.won("transactionAmount")
	received, err3 := f.won("amount")
	if err != nil || err2 != nil || err3 != nil {
		return doubtful(payment.FromLookup, f, "the amounts or the list of payments cannot be read")
	}
	o := payment.Observation{Source: payment.FromLookup, Reference: f.reference(), Amount: ordered}
	kind, _ := f.integer("paymentType")
	status, ok := f.integer("status")
	switch {
	case !ok:
	case status == 1 && len(transfers) == 0, status == 0 && kind == typeKYCVA && len(transfers) == 0:
		o.Kind = payment.Accepted
		if kind >= typeVA && kind <= typeTossPay {
			o.Action = c.depositAction(kind, data)
		}
		return o
	case status == 2 && total.Minor == 0 && received.Minor > 0, status == 2 && total.Minor > 0 && (received.IsZero() || received == total):
		report.Fee = f.fee(&report) // of the order
		f.named(&report)
		o.Kind, o.Transfers, o.SettledAmount, o.Report = payment.Paid, transfers, received, report
		return o
	case status == 2:
		return doubtful(payment.FromLookup, f, "paid, but the amount received and the single payments differ")
	case status == 3 && len(transfers) == 0 && received.Minor == 0:
		o.Kind = payment.Declined
		o.Reason = &payment.Reason{Code: payment.ReasonDeclined, ProviderCode: failedCode(f["errorMessage"]), Message: masking.Text(f["errorMessage"], payment.Command{})}
		return o
	case status == 1 || status == 3:
		return doubtful(payment.FromLookup, f, "not paid, but money was received")
	}
	return doubtful(payment.FromLookup, f, "no page documents this status")
}

// readTransfers returns the payments of a statementList that succeeded (paymentStatementStatus 2, where 3
// is failed), and their sum, and notes when the last of them was paid.
func readTransfers(data object, report *payment.Report) (transfers []payment.Transfer, total payment.Money, err error) {
	seen := map[string]bool{}
	for s, err := range data.list("statementList") {
		if err != nil {
			return nil, payment.Money{}, err
		}
		f, _ := s.fields()
		switch f["paymentStatementStatus"] {
		case "3":
			continue
		case "2":
		default:
			return nil, payment.Money{}, fmt.Errorf("a payment with an undocumented status")
		}
		r, err := f.transfer("paymentSingleOrderNo", "paymentStatementAmount", report)
		if err != nil || seen[r.Reference] {
			return nil, payment.Money{}, fmt.Errorf("a payment without a number or an amount, or twice")
		}
		seen[r.Reference] = true
		if total, err = total.Add(r.Amount); err != nil {
			return nil, payment.Money{}, err
		}
		transfers = append(transfers, r)
	}
	return transfers, total, nil
}

// transfer makes a transfer of a payment that succeeded, so with a number and more than nothing.
func (f fields) transfer(numberName, amountName string, report *payment.Report) (payment.Transfer, error) {
	reference := f.short(numberName)
	amount, err := f.won(amountName)
	if err != nil || amount.Minor <= 0 || reference == "" {
		return payment.Transfer{}, fmt.Errorf("%s or the number of the payment is missing or unreadable", amountName)
	}
	f.completed(report)
	return payment.Transfer{Reference: reference, Amount: amount, Fee: f.fee(report)}, nil
}

// payoutObservation reads a payout from a query or a callback: status 1 in payment (queries only),
// 2 paid, 3 failed, and 4 given back after it was paid (zh korea/payout/callback). A payout is only
// believed to be paid with its amount, so that it can be compared with ours.
func payoutObservation(source payment.Source, f fields) payment.Observation {
	amount, err := f.won("amount")
	if err != nil {
		return doubtful(source, f, "the amount cannot be read")
	}
	o := payment.Observation{Source: source, Reference: f.reference(), Amount: amount}
	reason := &payment.Reason{ProviderCode: masking.Code(f["errorCode"]), Message: masking.Text(f["errorMessage"], payment.Command{})}
	switch status, ok := f.integer("status"); {
	case ok && status == 1 && source == payment.FromLookup:
		o.Kind = payment.Accepted
	case ok && status == 2 && failureCode(f["errorCode"]):
		return doubtful(source, f, "paid, but with the code of a failure")
	case ok && status == 2 && amount.Minor > 0:
		o.Kind, o.Report = payment.Paid, f.reported()
	case ok && status == 3:
		o.Kind, o.Reason, reason.Code, o.Report = payment.Declined, reason, payment.ReasonDeclined, f.ended()
		if reason.ProviderCode == "" {
			reason.ProviderCode = failedCode(f["errorMessage"])
		}
	case ok && status == 4:
		o.Kind, o.Reason, reason.Code = payment.Reversal, reason, payment.ReasonReversed
	default:
		return doubtful(source, f, "no page documents this status, or the amount is missing")
	}
	return o
}

// doubtful is an answer about our order whose meaning no page documents.
func doubtful(source payment.Source, f fields, why string) payment.Observation {
	return payment.Observation{
		Kind: payment.Indeterminate, Source: source, Reference: f.reference(), Known: true,
		Reason: &payment.Reason{Code: payment.ReasonIndeterminate, ProviderCode: masking.Code(f["status"]), Message: why},
	}
}
