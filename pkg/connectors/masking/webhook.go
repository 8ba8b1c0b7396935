package masking

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"payonce/pkg/payment"
)

// Webhook returns a webhook's body on one line, as [JSON] does, with what says which payment it is about and what became of it. form
// says that it may be an HTML form. It is not ok where it is neither that nor JSON.
func Webhook(body []byte, form bool, limit int) (masked string, whole, ok bool) {
	if masked, whole, ok = JSON(body, limit, plainField); ok || !form {
		return masked, whole, ok
	}
	masked, whole = maskedForm(string(body), limit)
	return masked, whole, true
}

// maskedForm is a form with its values masked, and the names that do not look like those of fields.
func maskedForm(body string, limit int) (masked string, whole bool) {
	var text strings.Builder
	for pair := range strings.SplitSeq(body, "&") {
		if limit > 0 && text.Len() > limit {
			break
		}
		if text.Len() > 0 {
			text.WriteByte('&')
		}
		name, value, isField := strings.Cut(pair, "=")
		shown := mask
		if decoded, err := url.QueryUnescape(value); err == nil && plainField("", name, decoded) {
			shown = value
		}
		if !FieldName(name) || !isField {
			name = mask
		}
		text.WriteString(name + "=" + shown)
	}
	return Beginning(text.String(), limit)
}

// Fields of the providers' webhooks that say which payment it is about and what became of it, with the names of their objects.
var (
	orderFields  = []string{"payment.id", "payment_id", "paymentId", "payment_cl_id", "paymentClId", "payout_cl_id", "payoutClId", "merchantOrderNo", "platform_id", "platformId", "project_id"}
	codeFields   = []string{"status", "code", "type", "payment.status", "payment.type", "operation.status", "operation.type", "operation.code"}
	amountFields = []string{"amount", "paymentAmount", "sum.amount"}

	amountPattern   = regexp.MustCompile(`^-?[0-9]{1,12}([.,][0-9]{1,4})?$`)
	currencyPattern = regexp.MustCompile(`^[A-Za-z]{3}$`)
)

// plainField reports whether a field names or measures a payment and its value looks like that.
func plainField(object, name, value string) bool {
	switch path := strings.TrimPrefix(object+"."+name, "."); {
	case slices.Contains(orderFields, path):
		return payment.ValidOrder(value)
	case slices.Contains(codeFields, path):
		return value != "" && Code(value) == value
	case slices.Contains(amountFields, path):
		return amountPattern.MatchString(value)
	case path == "currency" || path == "sum.currency":
		return currencyPattern.MatchString(value)
	}
	return false
}
