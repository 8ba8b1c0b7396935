package ecommpay

import (
	"net/http"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// answer is what the provider expects; any status but 200 makes it call again (en_Gate_Callbacks).
var answer = connectors.Answer{ContentType: "text/plain", Body: "OK"}

// Webhook reads a callback. Everything that is read is covered by the signature, which is in the
// body; no header means anything. Callbacks that name no payment (a token, a recurring registration) are
// refused: nothing here asks for them.
func (c *Connector) Webhook(_ http.Header, body []byte, receivedAt time.Time) (connectors.Notice, error) {
	doc, signed, err := verified(c.keys, body)
	if err != nil {
		return connectors.Notice{}, &connectors.WebhookError{Refusal: connectors.BadSignature, Problem: err.Error()}
	}
	if !c.ourProject(doc) {
		return connectors.Notice{}, &connectors.WebhookError{Refusal: connectors.WrongProvider, Problem: "project_id is another project's"}
	}
	order := named(doc)
	if !payment.ValidOrder(order) {
		return connectors.Notice{}, &connectors.WebhookError{Refusal: connectors.BadWebhook, Problem: "the payment's id is missing or not an order number of ours"}
	}
	notice := connectors.Notice{Order: order, Answer: answer, Digest: signed.digest()}
	switch signed.hidden() {
	case numberHidden:
		return connectors.Notice{}, &connectors.WebhookError{Refusal: connectors.BadWebhook, Problem: errReadings.Error() + ", also of the payment's id"}
	case fieldHidden:
		notice.Observation = doubtful(payment.FromWebhook, report{}, payment.ReasonIndeterminate, errReadings.Error())
		return notice, nil
	}
	if second := doc.value("payment", "id"); second != "" && second != order {
		notice.Observation = doubtful(payment.FromWebhook, report{}, payment.ReasonIndeterminate, "the callback names two payments")
		return notice, nil
	}
	notice.Operation, notice.Observation = direction(doc), observe(payment.FromWebhook, c.called(doc, receivedAt))
	return notice, nil
}

// direction says whether a callback is about a deposit or a payout; empty when it does not say.
func direction(doc node) payment.Operation {
	for _, path := range [][]string{{"payment", "type"}, {"operation", "type"}, {"transaction", "type"}} {
		if operation, ok := paymentTypes[plain(doc.value(path...))]; ok {
			return operation
		}
	}
	return ""
}

// called reads a callback in the standard format (Korean banks page), or one that only brings a redirect
// (redirectData in the provider's SDKs).
func (c *Connector) called(doc node, receivedAt time.Time) report {
	r := report{
		status: doc.value("payment", "status"), operation: doc.told("operation", "type"), outcome: doc.told("operation", "status"),
		code: doc.told("operation", "code"), message: doc.told("operation", "message"),
		retry: doc.truth("payment", "is_new_attempts_available"),
	}
	if operationTypes[plain(r.operation)] == payment.Paid {
		r.reference, r.completed = doc.told("operation", "id"), doc.told("operation", "date")
		if paymentTypes[plain(r.operation)] != direction(doc) {
			r.problem = "the payment and its operation have different directions"
		}
	}
	r.action = c.actionOf(doc, written(doc, receivedAt))
	if r.status == "" && r.action != nil && r.action.Type == payment.ActionRedirect && doc.missing("operation") {
		r.status = "awaiting redirect result"
	}
	r.readSums(doc)
	return r
}

// readSums reads the payment's amount. The operation's own amounts must not differ when the payment is paid, nor
// what was ordered in any status: no page says that a payment can succeed with another amount, or in another
// currency, than was ordered, and the provider converts no currencies for this method.
func (r *report) readSums(doc node) {
	var all sums
	all.add(doc, "", []string{"payment", "sum"})
	itself := r.operation == "" || operationTypes[plain(r.operation)] == payment.Paid
	if itself {
		all.add(doc, "", []string{"operation", "sum_initial"})
	}
	r.amount = all.first()
	if itself && paymentStatuses[plain(r.status)] == payment.Paid {
		all.add(doc, "", []string{"operation", "sum_converted"}, []string{"sum_request"}, []string{"sum_real"})
	}
	r.mismatch = all.problem()
}

// written returns when the provider wrote a callback; a repeated one keeps its time.
func written(doc node, receivedAt time.Time) time.Time {
	for _, path := range [][]string{{"operation", "date"}, {"payment", "date"}} {
		if t, ok := wireTime(doc.value(path...)); ok {
			return t.UTC()
		}
	}
	return receivedAt
}
