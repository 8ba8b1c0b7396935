package diamondpay

import (
	"regexp"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// codeProcessed says that a call was processed, and only that (showdoc).
const codeProcessed = "0000"

var codePattern = regexp.MustCompile(`^[0-9]{4}$`)

// meaning is what an error code of a create request means for the money.
type meaning struct {
	class  connectors.Class
	reason string
	known  bool // the provider has the order
}

// The meanings that a code can have, by their name in configuration.
const (
	meansInDoubt    = "in_doubt"
	meansDuplicate  = "duplicate"
	meansLowBalance = "low_balance"
	meansRejected   = "rejected"
)

var meanings = map[string]meaning{
	meansInDoubt:    {class: connectors.InDoubt, reason: payment.ReasonUnclear},
	meansDuplicate:  {class: connectors.InDoubt, reason: payment.ReasonUnclear, known: true},
	meansLowBalance: {class: connectors.NotSent, reason: payment.ReasonBalance},
	meansRejected:   {class: connectors.Rejected, reason: payment.ReasonDeclined},
}

// code is a documented error code.
type code struct{ text, means string }

// codes are the global error codes of showdoc, and 0050 of the newer pages. The pages say what a code is
// called; what it means for the money is an assumption, see [Settings].Codes. The assumption is: where
// the text does not exclude that something was made, the order is looked up; what is wrong with the
// request or the account is refused before anything is made. A code that is missing here is in doubt.
var codes = map[string]code{
	"0001": {"network delay", meansInDoubt},
	"0002": {"invalid request parameters", meansRejected},
	"0003": {"service closed", meansRejected},
	"0004": {"signature error", meansRejected},
	"0005": {"authorization missing", meansRejected},
	"0006": {"invalid authorization", meansRejected},
	"0007": {"the deposit record does not exist", meansInDoubt}, // an answer to a lookup, strange to a create request
	"0008": {"the card does not exist", meansRejected},
	"0009": {"wrong service_id", meansRejected},
	"0010": {"the service is not enabled for the merchant", meansRejected},
	"0011": {"no card available", meansInDoubt},
	"0012": {"the bank does not exist or is not supported", meansRejected},
	"0013": {"creating the deposit record failed", meansInDoubt},
	"0014": {"duplicate order number", meansDuplicate},
	"0015": {"the channel does not exist", meansRejected},
	"0016": {"unknown fee type", meansRejected},
	"0017": {"creating the payout record failed", meansInDoubt},
	"0018": {"insufficient merchant balance", meansLowBalance},
	"0019": {"platform_channel_id required", meansRejected},
	"0020": {"wrong API version", meansRejected},
	"0021": {"invalid JSON", meansRejected},
	"0022": {"unsupported content type", meansRejected},
	"0023": {"unsupported HTTP method", meansRejected},
	"0024": {"updating the deposit failed", meansInDoubt},
	"0025": {"updating the channel failed", meansInDoubt},
	"0026": {"last_number required", meansRejected},
	"0027": {"host not allowed", meansRejected},
	"0028": {"the amount is below the minimum", meansRejected},
	"0029": {"the amount is above the maximum", meansRejected},
	"0050": {"order not found", meansInDoubt}, // an answer to a lookup, strange to a create request
}

// meaningOf returns what a code other than 0000 means, and why.
func (c *Connector) meaningOf(code string) (m meaning, evidence string) {
	documented, ok := codes[code]
	if means, changed := c.settings.Codes[code]; changed {
		return meanings[means], "configuration says that this code is " + means
	}
	if !ok {
		return meanings[meansInDoubt], "no page documents this code"
	}
	return meanings[documented.means], "showdoc, global error codes: " + documented.text + " (assumed: " + documented.means + ")"
}

// unknownOrder are the codes that answer a lookup of an order that does not exist: 0007 speaks of deposits
// (showdoc), 0050 of orders (newer pages).
var unknownOrder = map[payment.Operation][]string{
	payment.Deposit: {"0007", "0050"},
	payment.Payout:  {"0050"},
}
