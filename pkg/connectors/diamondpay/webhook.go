package diamondpay

import (
	"crypto/sha256"
	"net/http"
	"slices"
	"strings"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/signedtext"
	"payonce/pkg/payment"
)

// answer is what the provider expects; anything else makes it call again, up to ten times in an hour
// (showdoc, deposit notification).
var answer = connectors.Answer{ContentType: "application/json", Body: `{"error_code":"0000"}`}

// Webhook reads a notification about a deposit or a payout (showdoc, apayasia). It is signed over all
// fields that it has, known to us or not, and only signed fields are read. Names can be in camelCase, as in the
// example of the TWD page; of both spellings of one name there must be one only. Nothing of the header is
// documented, and no time limit.
func (c *Connector) Webhook(_ http.Header, body []byte, _ time.Time) (connectors.Notice, error) {
	o, err := parseObject(body)
	if err != nil {
		return connectors.Notice{}, refuse(connectors.BadSignature, err.Error())
	}
	f, signed, err := o.verifiedNames(c.settings.SignType, c.settings.secrets())
	if err != nil {
		return connectors.Notice{}, refuse(connectors.BadSignature, err.Error())
	}
	if f["platform_id"] != c.settings.PlatformID {
		return connectors.Notice{}, refuse(connectors.WrongProvider, "platform_id is missing or another account's")
	}
	if currency := f["currency"]; currency != "" && !slices.Contains(c.settings.Currencies, strings.ToUpper(currency)) {
		return connectors.Notice{}, refuse(connectors.WrongProvider, "currency is not one of the account's")
	}
	var n connectors.Notice
	if reading := signed.reading(); reading.Unique() {
		n, err = c.notice(f)
	} else {
		n, err = ambiguous(reading, f)
	}
	if err != nil {
		return connectors.Notice{}, err
	}
	n.Digest, err = o.digest()
	return n, err
}

// digest is that of the signed fields under their names in snake_case, which a signature fits in either spelling.
func (o object) digest() ([sha256.Size]byte, error) {
	renamed, err := o.snakeCased()
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	f, err := renamed.signable()
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	return signedtext.Digest(f), nil
}

// notice reads the signed fields. The two notifications differ in the name of our order number.
func (c *Connector) notice(f fields) (connectors.Notice, error) {
	operation := payment.Deposit
	deposit, payout := f["payment_cl_id"], f["payout_cl_id"]
	if payout != "" {
		operation = payment.Payout
	}
	order := deposit + payout
	if deposit != "" && payout != "" || !payment.ValidOrder(order) {
		return connectors.Notice{}, refuse(connectors.BadWebhook, "exactly one of payment_cl_id and payout_cl_id must have an order number of ours")
	}
	if !slices.Contains(c.settings.Operations, string(operation)) {
		return connectors.Notice{}, refuse(connectors.WrongProvider, "the account has no "+string(operation)+"s")
	}
	n := connectors.Notice{Order: order, Operation: operation, Answer: answer}
	named := strings.ToUpper(f["currency"])
	if operation == payment.Payout && named != "" && named != krw {
		return connectors.Notice{}, refuse(connectors.WrongProvider, "currency is not that of payouts")
	}
	n.Observation = c.observed(payment.FromWebhook, operation, c.currencyOf(operation, named), f)
	if named == "" && operation == payment.Deposit && len(c.settings.Currencies) > 1 {
		n.In = func(currency string) payment.Observation {
			return c.observed(payment.FromWebhook, operation, c.currencyOf(operation, currency), f)
		}
	}
	return n, nil
}

func refuse(refusal connectors.WebhookRefusal, problem string) *connectors.WebhookError {
	return &connectors.WebhookError{Refusal: refusal, Problem: problem}
}
