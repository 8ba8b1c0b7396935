package teemopay

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/signedtext"
	"payonce/pkg/payment"
)

// answer is what the provider expects; anything else makes it call again (korea/payin/callback).
var answer = connectors.Answer{ContentType: "text/plain", Body: "SUCCESS"}

// Webhook reads a callback about a deposit or a payout (korea/payin/callback, korea/payout/callback).
// The signature covers the fields with a value and the nonce of the header, not the other headers:
// appCode and country distinguish accounts and prove nothing. Only signed fields are read.
func (c *Connector) Webhook(header http.Header, body []byte, receivedAt time.Time) (connectors.Notice, error) {
	nonce, _ := single(header, "nonce")
	f, err := verified(c.keys.platform, body, nonce)
	if err != nil {
		return connectors.Notice{}, &connectors.WebhookError{Refusal: connectors.BadSignature, Problem: err.Error()}
	}
	if code, ok := single(header, "appCode"); !ok || code != c.settings.AppCode {
		return connectors.Notice{}, &connectors.WebhookError{Refusal: connectors.WrongProvider, Problem: "the header appCode is missing or another account's"}
	}
	if where, ok := single(header, "country"); !ok || where != c.settings.Country {
		return connectors.Notice{}, &connectors.WebhookError{Refusal: connectors.WrongProvider, Problem: "the header country is missing or another country"}
	}
	if name := c.foreign(f); name != "" {
		return connectors.Notice{}, &connectors.WebhookError{Refusal: connectors.WrongProvider, Problem: name + " is another account's"}
	}
	if !c.timely(header, receivedAt) {
		return connectors.Notice{}, &connectors.WebhookError{Refusal: connectors.StaleWebhook, Problem: "the header timestamp is missing or too far from our time"}
	}
	reading := callbacks.Read(f)
	var n connectors.Notice
	switch order := f["merchantOrderNo"]; {
	case reading.Unique():
		n, err = notice(f)
	case reading.Certain("merchantOrderNo") && payment.ValidOrder(order):
		n = ambiguous(order)
	default:
		err = &connectors.WebhookError{Refusal: connectors.BadSignature, Problem: signedtext.Ambiguous}
	}
	if err != nil {
		return connectors.Notice{}, err
	}
	n.Digest = signedtext.Digest(f) // without the nonce, which is another where the provider signs again
	return n, nil
}

// ambiguous is the notice of a callback that the provider signed about this order and that could say two things.
// Nothing else is read from it: what holds is to be asked.
func ambiguous(order string) connectors.Notice {
	return connectors.Notice{Order: order, Answer: answer, Observation: payment.Observation{
		Kind: payment.Indeterminate, Source: payment.FromWebhook, Known: true,
		Reason: &payment.Reason{Code: payment.ReasonIndeterminate, Message: signedtext.Ambiguous},
	}}
}

// foreign returns the name of a signed field that names another account, or "". No page has these fields in a callback;
// one that has them means what it says.
func (c *Connector) foreign(f fields) string {
	for name, ours := range map[string]string{"appCode": c.settings.AppCode, "country": c.settings.Country, "currency": "KRW"} {
		if f[name] != "" && f[name] != ours {
			return name
		}
	}
	return ""
}

// single returns the value of a header that must occur once, in any spelling of its name.
func single(header http.Header, name string) (value string, ok bool) {
	var all []string
	for key, values := range header {
		if strings.EqualFold(key, name) {
			all = append(all, values...)
		}
	}
	if len(all) != 1 {
		return "", false
	}
	return all[0], true
}

func (c *Connector) timely(header http.Header, receivedAt time.Time) bool {
	if c.settings.WebhookTolerance == 0 {
		return true
	}
	text, _ := single(header, "timestamp")
	ms, err := strconv.ParseInt(text, 10, 64)
	return err == nil && receivedAt.Sub(time.UnixMilli(ms)).Abs() <= c.settings.WebhookTolerance
}

// notice reads the signed fields.
func notice(f fields) (connectors.Notice, error) {
	order := f["merchantOrderNo"]
	if !payment.ValidOrder(order) {
		return connectors.Notice{}, &connectors.WebhookError{Refusal: connectors.BadWebhook, Problem: "merchantOrderNo is missing or not an order number of ours"}
	}
	n := connectors.Notice{Order: order, Operation: payment.Payout, Answer: answer}
	if aboutDeposit(f) {
		n.Operation, n.Observation = payment.Deposit, depositCallback(f)
	} else {
		n.Observation = payoutObservation(payment.FromWebhook, f)
	}
	return n, nil
}

// depositOnly are the fields that only a deposit's callback has.
var depositOnly = []string{"paymentAmount", "paymentInfo", "paymentOrderNo", "paymentType"}

// aboutDeposit distinguishes the two callbacks.
func aboutDeposit(f fields) bool {
	for _, name := range depositOnly {
		if _, ok := f[name]; ok {
			return true
		}
	}
	return false
}

// depositCallback reads one payment of a deposit. Only status 2, paid, is documented; paymentAmount is
// the amount of this one payment, and a deposit can have several.
func depositCallback(f fields) payment.Observation {
	if f["status"] != "2" {
		return doubtful(payment.FromWebhook, f, "no page documents this status of a deposit's callback")
	}
	var report payment.Report
	f.named(&report)
	r, err := f.transfer("paymentOrderNo", "paymentAmount", &report)
	if err != nil {
		return doubtful(payment.FromWebhook, f, err.Error())
	}
	return payment.Observation{
		Kind: payment.Paid, Source: payment.FromWebhook, Reference: f.reference(),
		Transfers: []payment.Transfer{r}, Report: report,
	}
}
