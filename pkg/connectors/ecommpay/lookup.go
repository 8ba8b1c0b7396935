package ecommpay

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"strconv"

	"payonce/pkg/boundedjson"
	"payonce/pkg/connectors"
	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/connectors/masking"
	"payonce/pkg/payment"
)

// codeNotFound: the payment was not registered (en_Gate_payment_status_request). That is also the answer
// for a link to the Payment Page whose customer has not confirmed the payment there.
const codeNotFound = "3061"

// Lookup asks by our order number. An error is a [*connectors.Error] in doubt or not sent, and says that
// nothing was learned. The provider wants to be asked 10 s after the request at the earliest, see
// [MinSettlingDelay].
func (c *Connector) Lookup(ctx context.Context, q connectors.Query) (payment.Observation, error) {
	if err := q.Validate(); err != nil || !q.Operation.Valid() {
		return payment.Observation{}, fmt.Errorf("look up %s: not a valid query: %w", q.Ref, notSent(payment.ReasonInvalid, err))
	}
	reply, err := c.call(ctx, statusPath, c.about(q.Order))
	if err != nil {
		return payment.Observation{}, fmt.Errorf("look up %s: %w", q.Ref, err)
	}
	o, refusal := c.answered(q, reply)
	if refusal != nil {
		return payment.Observation{}, fmt.Errorf("look up %s: %w", q.Ref, refusal)
	}
	if o.Kind == payment.Unknown && reply.Reused { // it names no order, and can be the answer to another question
		return c.Lookup(httpcall.OwnConnection(ctx), q)
	}
	return o, nil
}

// answered reads the answer to a status query. Only a signed one is believed; the answer that there is no
// such payment is documented without a signature.
func (c *Connector) answered(q connectors.Query, reply httpcall.Reply) (payment.Observation, *connectors.Error) {
	status := "http_" + strconv.Itoa(reply.Status)
	doc, err := parseReceived(reply.Body, answerLimits)
	switch {
	case err != nil:
		return payment.Observation{}, c.later(reply, indeterminate(status, "", "the body is "+err.Error()))
	case !c.ours(doc, q.Order):
		return payment.Observation{}, indeterminate(status, "", "the answer is about another payment or project")
	case c.notFound(reply.Status, doc):
		return payment.Observation{
			Kind: payment.Unknown, Source: payment.FromLookup, Settling: c.settings.SettlingDelay,
			Reason: &payment.Reason{Code: payment.ReasonNotFound, ProviderCode: codeNotFound},
		}, nil
	case reply.Status != http.StatusOK:
		message := masking.Text(doc.value("message"), payment.Command{})
		return payment.Observation{}, c.later(reply, indeterminate(masking.Code(errorCode(doc, meaningOf)), message, "no answer to a query: "+status))
	}
	signature, err := signatureIn(doc)
	if err == nil {
		_, err = verify(c.keys, doc, answerText, signature)
	}
	if err != nil {
		return payment.Observation{}, indeterminate(status, "", "the answer is not verified: "+err.Error())
	}
	if named(doc) != q.Order {
		return payment.Observation{}, indeterminate(status, "", "the answer does not name our payment")
	}
	return observe(payment.FromLookup, c.lookedUp(q, doc)), nil
}

// notFound recognises {"payment":{"status":"error"},"errors":[{"code":"3061"}]}, and the same code in
// Gate's common form of an error. A wrong signature makes it nothing.
func (c *Connector) notFound(status int, doc node) bool {
	if status != http.StatusOK && !refusing(status) || errorCode(doc, meaningOf) != codeNotFound {
		return false
	}
	if signature, err := signatureIn(doc); err == nil {
		if _, err := verify(c.keys, doc, answerText, signature); err != nil {
			return false
		}
	}
	own, common, is := doc.told("payment", "status"), doc.told("status"), doc.at("payment")
	return (own == "error" || own == "" && common == "error" && (is.Kind() == boundedjson.Object || vacant(is))) &&
		vacant(doc.at("operations")) && vacant(doc.at("transaction"))
}

// named returns our payment id. In the status format payment.id can be another number.
func named(doc node) string {
	if id := doc.value(generalName, "payment_id"); id != "" {
		return id
	}
	return doc.value("payment", "id")
}

// lookedUp reads a status answer.
func (c *Connector) lookedUp(q connectors.Query, doc node) report {
	r := report{
		status: doc.value("payment", "status"), code: doc.told("payment", "result_code"), message: doc.told("payment", "result_message"),
		retry: doc.truth("payment", "is_new_attempts_available"),
	}
	written, _ := wireTime(doc.value("payment", "date"))
	r.action = c.actionOf(doc, written.UTC())
	r.readOperations(q.Operation, doc)
	r.readAmounts(q, doc)
	return r
}

// readAmounts reads sum_request, what was ordered, and sum_real, what was processed
// (en_Gate_payment_status_request). A payment that is paid must have one amount, in its operation too, see
// [report.readSums].
func (r *report) readAmounts(q connectors.Query, doc node) {
	var all sums
	all.add(doc, "", []string{"sum_request"}, []string{"sum_real"})
	r.amount = all.first()
	if paymentStatuses[plain(r.status)] != payment.Paid { // what was processed so far is not what was ordered
		if r.mismatch = all.unreadable(); doc.missing("sum_request") {
			r.amount = payment.Money{}
		}
		return
	}
	r.settled = all.first()
	for _, operation := range r.succeeded {
		all.add(operation, "operations.", []string{"sum"}, []string{"sum_initial"}, []string{"sum_converted"})
	}
	if r.mismatch = all.problem(); r.mismatch != "" && !q.Amount.IsZero() {
		r.other, _ = all.other(q.Amount)
	}
}

// readOperations looks at the single operations: several sales or payouts are attempts at the same
// payment, of which one may succeed.
func (r *report) readOperations(want payment.Operation, doc node) {
	whole := r.code != "" // the code is the payment's own
	for operation := range operationsOf(doc) {
		direction, itself := paymentTypes[plain(operation.value("type"))]
		switch {
		case !itself:
			continue
		case direction != want:
			r.problem = "the provider knows the payment in the other direction"
		case plain(r.outcome) == "success":
			if plain(operation.value("status")) == "success" {
				r.problem = "two operations of one payment succeeded"
			}
			continue
		}
		r.reference, r.outcome = operation.told("id"), operation.told("status")
		if listsOperations(doc) { // the date of a transaction is when it was made
			r.completed = operation.told("date")
		}
		if plain(r.outcome) == "success" {
			r.succeeded = append(r.succeeded, operation)
		}
		if !whole {
			r.code, r.message = operation.told("code"), operation.told("message")
		}
	}
}

func listsOperations(doc node) bool {
	list := doc.at("operations")
	return list.Kind() == boundedjson.List && !list.Empty()
}

// operationsOf returns the items of operations or, where there are none, the transaction.
func operationsOf(doc node) iter.Seq[node] {
	return func(yield func(node) bool) {
		if !listsOperations(doc) {
			if !doc.missing("transaction") {
				yield(doc.at("transaction"))
			}
			return
		}
		for item := range doc.at("operations").Inner() {
			if !yield(node{item}) {
				return
			}
		}
	}
}
