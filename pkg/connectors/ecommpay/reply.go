package ecommpay

import (
	"net/http"
	"strconv"

	"payonce/pkg/boundedjson"
	"payonce/pkg/connectors"
	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/connectors/masking"
	"payonce/pkg/payment"
)

// accepted returns nil when Gate took a request about an order: HTTP 200 with status "success" and our
// payment id. Everything else is an error, classified by its code if Gate refused it as documented
// (en_gate_interaction_organisation: not 200, status "error", a code).
func (c *Connector) accepted(order string, cmd payment.Command, reply httpcall.Reply) *connectors.Error {
	status := "http_" + strconv.Itoa(reply.Status)
	doc, err := parseReceived(reply.Body, answerLimits)
	switch {
	case err != nil:
		return c.later(reply, indeterminate(status, "", "the body is "+err.Error()))
	case !c.ours(doc, order):
		return indeterminate(status, "", "the answer is about another payment or project")
	case reply.Status == http.StatusOK && doc.value("status") == "success" && doc.value("payment_id") == order:
		return nil
	case doc.value("status") != "error":
		return c.later(reply, indeterminate(status, "", "neither accepted nor refused as documented"))
	}
	refusal := c.refusal(order, cmd, reply.Status, doc)
	if reply.Reused && !namesOrder(doc, order) {
		refusal = refusal.Unconfirmed()
	}
	return c.later(reply, refusal)
}

// refusal classifies an answer with status "error" by its code. A code is believed only with an HTTP status of a
// request that was refused, and only if nothing in the answer shows an operation.
func (c *Connector) refusal(order string, cmd payment.Command, status int, doc node) *connectors.Error {
	code := errorCode(doc, c.meaningOf)
	m, chosen := c.meaningOf(code), c.settings.Codes[code] != ""
	switch {
	case showsOperation(doc):
		m = meaning{means: connectors.MeansInDoubt, exists: true, evidence: "an error answer that shows an operation is not documented"}
		if namesOrder(doc, order) {
			m.means = connectors.MeansDuplicate // the provider has the order, whatever it says of the request
		}
	case m.means == connectors.MeansDuplicate:
	case !refusing(status):
		m.means, m.evidence = connectors.MeansInDoubt, "an error with this HTTP status is not documented as not processed"
	case status == http.StatusForbidden && m == undocumented && !chosen && codePattern.MatchString(code):
		m = notListed
	}
	e := m.means.Error()
	e.ProviderCode, e.Message, e.Evidence = masking.Code(code), masking.Text(doc.value("message"), cmd), m.evidence
	e.Refused = e.Class == connectors.InDoubt && !m.exists && refusing(status) && codePattern.MatchString(code)
	return e
}

// refusing reports whether an HTTP status is one of a request that was refused. 408, 429 and 5xx are to
// be sent again, without a word about what was done: a request that timed out or broke something may have been
// executed, and something in front of the platform may have answered in its place.
func refusing(status int) bool {
	return status >= 400 && status < 500 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests
}

// showsOperation reports whether an error answer has what only the result of an operation has.
func showsOperation(doc node) bool {
	for _, name := range []string{"operation", "operations", "transaction", "payment"} {
		if !vacant(doc.at(name)) {
			return true
		}
	}
	return false
}

func namesOrder(doc node, order string) bool {
	return doc.value("payment_id") == order || named(doc) == order
}

// errorCode returns the code of an error answer, the most cautious one if there are several. PHP writes a list whose
// numbers have gaps as an object.
func errorCode(doc node, meaningOf func(code string) meaning) string {
	code := doc.told("code")
	list := doc.at("errors")
	for e := range list.Inner() {
		further := node{e}.told("code")
		switch was, is := meaningOf(code).caution(), meaningOf(further).caution(); {
		case further == "":
		case code == "", is > was, is == was && list.Kind() == boundedjson.Object && further < code: // fields have no order
			code = further
		}
	}
	return code
}

// ours reports whether an answer or a callback, where it says, is about our project and the order.
func (c *Connector) ours(doc node, order string) bool {
	for _, id := range []string{doc.told("payment_id"), doc.told(generalName, "payment_id")} {
		if id != "" && id != order {
			return false
		}
	}
	return c.ourProject(doc)
}

func (c *Connector) ourProject(doc node) bool {
	for _, path := range [][]string{{"project_id"}, {generalName, "project_id"}} {
		if !doc.missing(path...) && doc.value(path...) != strconv.FormatInt(c.settings.ProjectID, 10) {
			return false
		}
	}
	return true
}

// later adds how long the provider asks to wait.
func (c *Connector) later(reply httpcall.Reply, e *connectors.Error) *connectors.Error {
	e.RetryAfter, _ = httpcall.RetryAfter(reply.Header, c.now())
	return e
}

func indeterminate(providerCode, message, evidence string) *connectors.Error {
	return &connectors.Error{Class: connectors.InDoubt, Code: payment.ReasonIndeterminate, ProviderCode: providerCode, Message: message, Evidence: evidence}
}
