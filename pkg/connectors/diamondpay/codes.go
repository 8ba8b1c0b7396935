package diamondpay

import (
	"regexp"
	"slices"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/masking"
	"payonce/pkg/payment"
)

// codeProcessed says that a call was processed, and only that (showdoc).
const codeProcessed = "0000"

var codePattern = regexp.MustCompile(`^[0-9]{4}$`)

// isErrorCode reports whether a code is one that a refusal can have.
func isErrorCode(code string) bool { return codePattern.MatchString(code) && code != codeProcessed }

// code is a documented error code.
type code struct {
	text  string
	means connectors.Meaning
}

// codes are the global error codes of showdoc, and 0050 of the newer pages. The pages say what a code is
// called; what it means for the money is an assumption, see [Settings].Codes. A code that is missing here
// is in doubt. The assumption is:
//
//   - Where the text does not exclude that something was made, the order is looked up.
//   - What is wrong with our account or our software would refuse the next payment in the same way: a key, a
//     token, a service, a channel or a fee type that is not set up for us, an address that is not allowed, a
//     body that no customer wrote (0021 to 0023: our software makes the JSON, its media type and the method).
//     No payment fails for it; they wait.
//   - What is wrong with one payment's fields is that payment's end. 0002 is among them: it can be the
//     account's platform_id, too, but a field of the customer is more likely, and a payment must not wait
//     for ever for a field that no person will change.
var codes = map[string]code{
	"0001": {"network delay", connectors.MeansInDoubt},
	"0002": {"invalid request parameters", connectors.MeansRejected},
	"0003": {"service closed", connectors.MeansMisconfigured},
	"0004": {"signature error", connectors.MeansMisconfigured},
	"0005": {"authorization missing", connectors.MeansMisconfigured},
	"0006": {"invalid authorization", connectors.MeansMisconfigured},
	"0007": {"the deposit record does not exist", connectors.MeansInDoubt}, // an answer to a lookup, strange to a create request
	"0008": {"the card does not exist", connectors.MeansRejected},
	"0009": {"wrong service_id", connectors.MeansMisconfigured},
	"0010": {"the service is not enabled for the merchant", connectors.MeansMisconfigured},
	"0011": {"no card available", connectors.MeansInDoubt},
	"0012": {"the bank does not exist or is not supported", connectors.MeansRejected},
	"0013": {"creating the deposit record failed", connectors.MeansInDoubt},
	"0014": {"duplicate order number", connectors.MeansDuplicate},
	"0015": {"the channel does not exist", connectors.MeansMisconfigured},
	"0016": {"unknown fee type", connectors.MeansMisconfigured},
	"0017": {"creating the payout record failed", connectors.MeansInDoubt},
	"0018": {"insufficient merchant balance", connectors.MeansLowBalance},
	"0019": {"platform_channel_id required", connectors.MeansMisconfigured},
	"0020": {"wrong API version", connectors.MeansMisconfigured},
	"0021": {"invalid JSON", connectors.MeansMisconfigured},
	"0022": {"unsupported content type", connectors.MeansMisconfigured},
	"0023": {"unsupported HTTP method", connectors.MeansMisconfigured},
	"0024": {"updating the deposit failed", connectors.MeansInDoubt},
	"0025": {"updating the channel failed", connectors.MeansInDoubt},
	"0026": {"last_number required", connectors.MeansRejected},
	"0027": {"host not allowed", connectors.MeansMisconfigured},
	"0028": {"the amount is below the minimum", connectors.MeansRejected},
	"0029": {"the amount is above the maximum", connectors.MeansRejected},
	"0050": {"order not found", connectors.MeansInDoubt}, // an answer to a lookup, strange to a create request
}

// meaningOf returns what a code other than 0000 means, and why.
func (c *Connector) meaningOf(code string) (m connectors.Meaning, evidence string) {
	documented, ok := codes[code]
	if means, changed := c.settings.Codes[code]; changed {
		return means, "configuration says that this code is " + string(means)
	}
	if !ok {
		return connectors.MeansInDoubt, "no page documents this code"
	}
	return documented.means, "showdoc, global error codes: " + documented.text + " (assumed: " + string(documented.means) + ")"
}

// notRefusals are codes whose text does not say that this request was refused: a delay on the way (0001), an
// order that exists and could not be changed (0024, 0025), answers to lookups (0007, 0050).
var notRefusals = []string{"0001", "0007", "0024", "0025", "0050"}

// refusal reads an answer to a create request with a code other than 0000. Only one without data decides
// anything: no page documents a refusal that mentions an order. One that stays in doubt is still a refusal
// (no card available, the record could not be made, a code that no page has), unless its text is about
// something else; see [Settings].RefusalLeavesNoOrder.
func (c *Connector) refusal(cmd payment.Command, env envelope) *connectors.Error {
	means, evidence := c.meaningOf(env.code)
	e := means.Error()
	if e.Class != connectors.InDoubt && !env.empty() {
		e, evidence = connectors.MeansInDoubt.Error(), "a refusal that carries data is not documented"
	}
	e.Refused = e.Class == connectors.InDoubt && !e.Known && env.empty() && isErrorCode(env.code) && !slices.Contains(notRefusals, env.code)
	e.ProviderCode, e.Message, e.Evidence = masking.Code(env.code), masking.Text(env.message, cmd), evidence
	if e.Class == connectors.InDoubt && e.Message == "" {
		e.Message = evidence
	}
	return e
}

// unknownOrder are the codes that answer a lookup of an order that does not exist: 0007 is about deposits
// (showdoc), 0050 of orders (newer pages).
var unknownOrder = map[payment.Operation][]string{
	payment.Deposit: {"0007", "0050"},
	payment.Payout:  {"0050"},
}
