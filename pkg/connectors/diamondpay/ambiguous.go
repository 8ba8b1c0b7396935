package diamondpay

import (
	"payonce/pkg/connectors"
	"payonce/pkg/connectors/signedtext"
	"payonce/pkg/payment"
)

// ambiguous is the answer to a notification that the provider signed and that could say two things. When it is
// certain which order it is about, nothing else is read from it: what holds is to be asked. f are its plain
// fields.
func ambiguous(reading signedtext.Reading, f fields) (connectors.Notice, error) {
	certain := func(name string) bool { return reading.Certain(name) || reading.Certain(camelCased(name)[0]) }
	for name, operation := range map[string]payment.Operation{"payment_cl_id": payment.Deposit, "payout_cl_id": payment.Payout} {
		if certain(name) && certain("platform_id") && payment.ValidOrder(f[name]) {
			return connectors.Notice{Order: f[name], Operation: operation, Answer: answer, Observation: payment.Observation{
				Kind: payment.Indeterminate, Source: payment.FromWebhook, Known: true,
				Reason: &payment.Reason{Code: payment.ReasonIndeterminate, Message: signedtext.Ambiguous},
			}}, nil
		}
	}
	return connectors.Notice{}, refuse(connectors.BadSignature, signedtext.Ambiguous)
}
