package teemopay

import (
	"net/http"
	"strconv"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/connectors/masking"
	"payonce/pkg/payment"
)

// envelope is what every answer of the API is wrapped in (guides/authentication).
type envelope struct {
	code    int
	message string
	data    object // nil when there is none
}

// codeProcessed says that the request was processed; what came of it is in the data.
const codeProcessed = 200

// envelope reads an answer. Only HTTP 200 with an envelope is documented; anything else, from any
// sender, says nothing about the payment.
func (c *Connector) envelope(reply httpcall.Reply) (envelope, *connectors.Error) {
	status := "http_" + strconv.Itoa(reply.Status)
	if reply.Status != http.StatusOK {
		e := indeterminate(status, "", "only HTTP 200 is documented")
		e.RetryAfter, _ = httpcall.RetryAfter(reply.Header, c.now())
		return envelope{}, e
	}
	o, err := parseObject(reply.Body)
	if err != nil {
		return envelope{}, indeterminate(status, "", "the body is "+err.Error())
	}
	f, _ := o.fields()
	code, ok := f.integer("code")
	data, err := o.object("data")
	if !ok || err != nil {
		return envelope{}, indeterminate(status, "", "the body is not an envelope with code and data")
	}
	return envelope{code: code, message: f["msg"], data: data}, nil
}

// submitted reads the answer to a create request.
func (c *Connector) submitted(cmd payment.Command, reply httpcall.Reply) (payment.Observation, error) {
	env, bad := c.envelope(reply)
	if bad != nil {
		return payment.Observation{}, bad
	}
	code := masking.Code(strconv.Itoa(env.code))
	if env.code != codeProcessed {
		e := c.refusal(cmd, env)
		if reply.Reused {
			e = e.Unconfirmed()
		}
		return payment.Observation{}, e
	}
	f, _ := env.data.fields()
	if f["merchantOrderNo"] != cmd.Order {
		return payment.Observation{}, indeterminate(code, "", "the answer does not name our order")
	}
	amount, err := f.won("amount")
	if err != nil {
		return payment.Observation{}, known(indeterminate(code, "", "the answer's amount is not a whole number of won"), f)
	}
	o := payment.Observation{Kind: payment.Accepted, Source: payment.FromSubmit, Reference: f.reference(), Amount: amount}
	return c.outcome(cmd, o, f, env.data)
}

// refusal reads an answer with another code than 200. One that carries data contradicts itself.
func (c *Connector) refusal(cmd payment.Command, env envelope) *connectors.Error {
	m := c.meaningOf(cmd, env)
	e, empty := m.meaning.Error(), len(env.data) == 0
	if e.Class != connectors.InDoubt && !empty {
		m.evidence, e = "a refusal that carries data is not documented", connectors.MeansInDoubt.Error()
	}
	e.ProviderCode, e.Message, e.Evidence = masking.Code(strconv.Itoa(env.code)), masking.Text(env.message, cmd), m.evidence
	e.Refused = e.Class == connectors.InDoubt && !e.Known && empty
	return e
}

// outcome reads the status of an order that the provider has made: 1 in payment, 3 failed (pay-in page,
// korea/payout/create), 0 accepted for a KYC deposit whose customer was not checked yet
// (zh korea/payin/create).
func (c *Connector) outcome(cmd payment.Command, o payment.Observation, f fields, data object) (payment.Observation, error) {
	kind := depositTypes[cmd.Method]
	status, ok := f.integer("status")
	deposit := cmd.Operation == payment.Deposit
	switch {
	case ok && status == 3 && !o.Amount.IsZero() && o.Amount != cmd.Amount:
		return payment.Observation{}, known(indeterminate("3", "", "the refusal names another amount"), f)
	case ok && status == 3:
		return payment.Observation{}, &connectors.Error{
			Class: connectors.Rejected, Code: payment.ReasonDeclined, ProviderCode: failedCode(f["errorMsg"]), Reference: f.reference(),
			Message: masking.Text(f["errorMsg"], cmd), Evidence: "code 200 with status 3: the order failed (pay-in page, docs.teemopay.com korea/payout/create)",
		}
	case ok && (status == 1 || status == 0 && deposit && kind == typeKYCVA):
		if deposit {
			if o.Action = c.depositAction(kind, data); o.Action == nil {
				return payment.Observation{}, known(indeterminate(f["status"], "", "the provider has the order but gave no payment instructions"), f)
			}
		}
		return o, nil
	}
	return payment.Observation{}, known(indeterminate(masking.Code(f["status"]), "", "no page documents this status for this request"), f)
}

func indeterminate(providerCode, message, evidence string) *connectors.Error {
	return &connectors.Error{Class: connectors.InDoubt, Code: payment.ReasonIndeterminate, ProviderCode: providerCode, Message: message, Evidence: evidence}
}

// known marks an answer that names our order: the provider has it, under the number of the answer's fields.
func known(e *connectors.Error, f fields) *connectors.Error {
	e.Known, e.Reference = true, f.reference()
	return e
}
