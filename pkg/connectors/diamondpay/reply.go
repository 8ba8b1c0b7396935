package diamondpay

import (
	"net/http"
	"slices"
	"strconv"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/payment"
)

// envelope is what every answer is wrapped in (the deposit pages).
type envelope struct {
	body    object
	code    string
	message string
}

// envelope reads an answer. Only HTTP 200 is documented with one; HTTP 500 says to look the order up
// (apayasia create-withdraw), and so does anything else, from any sender.
func (c *Connector) envelope(reply httpcall.Reply) (envelope, *connectors.Error) {
	status := "http_" + strconv.Itoa(reply.Status)
	if reply.Status != http.StatusOK {
		e := indeterminate(status, "", "only HTTP 200 is documented to decide anything")
		e.RetryAfter, _ = httpcall.RetryAfter(reply.Header, c.now())
		return envelope{}, e
	}
	o, err := parseAnswer(reply.Body)
	if err != nil {
		return envelope{}, indeterminate(status, "", "the body is "+err.Error())
	}
	f := o.withUnreadable(o.fields())
	return envelope{body: o, code: f["error_code"], message: f["error_msg"]}, nil
}

// orderNames are what an answer calls an order by, or one of its parts.
var orderNames = []string{"payment_id", "payment_cl_id", "payout_id", "payout_cl_id", "payment_info", "link"}

// empty reports whether an answer carries nothing but its code and its text, as the error examples of all pages.
func (e envelope) empty() bool {
	named := func(name string) bool { return !e.body.missing(name) && string(e.body[name]) != `""` }
	if slices.ContainsFunc(orderNames, named) {
		return false
	}
	if _, length, ok := e.body.rows("data"); ok {
		return length == 0
	}
	data, err := e.body.object("data")
	return err == nil && len(data) == 0
}

// submitted reads the answer to a create request. An answer with code 0000 must not speak of another
// order; what it repeats of the amount goes to the domain, which compares it with ours.
func (c *Connector) submitted(cmd payment.Command, reply httpcall.Reply) (payment.Observation, error) {
	env, bad := c.envelope(reply)
	if bad != nil {
		return payment.Observation{}, bad
	}
	if env.code != codeProcessed {
		e := c.refusal(cmd, env)
		if reply.Reused {
			e = e.Unconfirmed()
		}
		return payment.Observation{}, e
	}
	o, err := c.processed(cmd, env)
	if err != nil && cmd.Operation == payment.Deposit {
		// Whatever is wrong with the answer: if the provider has the order, the customer does not know how to pay.
		connectors.Classify(err).Code = payment.ReasonNoInstructions
	}
	return o, err
}

// processed reads an answer with code 0000.
func (c *Connector) processed(cmd payment.Command, env envelope) (payment.Observation, error) {
	data, err := env.body.object("data")
	switch {
	case err != nil || len(data) == 0:
		return payment.Observation{}, indeterminate(env.code, "", "the answer has no data")
	case cmd.Operation == payment.Payout:
		return c.submittedPayout(cmd, data)
	}
	return c.submittedDeposit(cmd, data)
}

// submittedPayout reads data that holds the payout_id and nothing else (apayasia create-withdraw).
func (c *Connector) submittedPayout(cmd payment.Command, data object) (payment.Observation, error) {
	echoed, o, err := c.echo(cmd, "payout", data)
	switch {
	case err != nil:
		return payment.Observation{}, err
	case o.Reference == "" && echoed:
		return payment.Observation{}, known(indeterminate(codeProcessed, "", "the answer has no payout_id"))
	case o.Reference == "":
		return payment.Observation{}, indeterminate(codeProcessed, "", "the answer has no payout_id")
	}
	return o, nil
}

// submittedDeposit reads the data of a deposit. v2 names the order in it (the v2 deposit page), v1 in payment_info
// (the v1 deposit pages), and the plain answer of v1 nowhere (the KRW deposit page).
func (c *Connector) submittedDeposit(cmd payment.Command, data object) (payment.Observation, error) {
	info, err := data.object("payment_info")
	if err != nil {
		return payment.Observation{}, indeterminate(codeProcessed, "", "payment_info cannot be read")
	}
	echoed, o, err := c.echo(cmd, "payment", data, info)
	if err != nil {
		return payment.Observation{}, err
	}
	if !echoed && (c.way(cmd).version == v2 || info != nil) {
		return payment.Observation{}, indeterminate(codeProcessed, "", "the answer does not name our order")
	}
	var problem string
	if o.Action, problem = c.depositAction(cmd, data, info, o.Amount); o.Action == nil {
		e := indeterminate(codeProcessed, "", problem)
		e.Known = echoed
		return payment.Observation{}, e
	}
	o.AmountTolerance = c.settings.tolerance(cmd.Amount.Currency)
	return o, nil
}

// echo reads what the parts of an answer repeat of the order; none of them may contradict the others.
func (c *Connector) echo(cmd payment.Command, kind string, parts ...object) (echoed bool, o payment.Observation, err error) {
	o = payment.Observation{Kind: payment.Accepted, Source: payment.FromSubmit}
	var unreadable *connectors.Error
	for _, part := range parts {
		f := part.withUnreadable(part.fields())
		if order := f[kind+"_cl_id"]; order != "" && order != cmd.Order {
			return false, o, indeterminate(codeProcessed, "", "the answer names another order")
		} else if order != "" {
			echoed = true
		}
		amount, err := f.amount("amount", cmd.Amount.Currency)
		if err != nil {
			unreadable = indeterminate(codeProcessed, "", err.Error())
		}
		if !o.Amount.IsZero() && !amount.IsZero() && amount != o.Amount {
			unreadable = indeterminate(codeProcessed, "", "the answer names two amounts")
		}
		if !amount.IsZero() {
			o.Amount = amount
		}
		if number := reference(cmd.Operation, f); number != "" {
			o.Reference = number
		}
	}
	if unreadable != nil {
		unreadable.Known = echoed
		return echoed, o, unreadable
	}
	return echoed, o, nil
}

// indeterminate is an answer that decides nothing. Its evidence is what people read where the provider gave no text.
func indeterminate(providerCode, message, evidence string) *connectors.Error {
	if message == "" {
		message = evidence
	}
	return &connectors.Error{Class: connectors.InDoubt, Code: payment.ReasonIndeterminate, ProviderCode: providerCode, Message: message, Evidence: evidence}
}

// known marks an answer that names our order: the provider has it.
func known(e *connectors.Error) *connectors.Error {
	e.Known = true
	return e
}
