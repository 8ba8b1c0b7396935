package ingress

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"payonce/pkg/connectors/masking"
	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// What is kept of headers: names that look like those of formats, and not many.
const (
	maxRefusedHeaders    = 20
	maxRefusedSignatures = 4
	// minSignature is the shortest value of which a digest is kept: a shorter one could be guessed from it.
	minSignature = 32
)

const form = "application/x-www-form-urlencoded"

// mediaTypes are those that are shown; whatever else a caller writes can be anything.
var mediaTypes = []string{"application/json", form, "application/xml", "application/octet-stream", "multipart/form-data", "text/html", "text/plain", "text/xml"}

// masked is the call without anything that could be personal or secret. What cannot be understood is a length and a digest.
func (c refusedCall) masked() events.RefusedWebhook {
	w := c.RefusedWebhook
	w.Reason = masking.Text(w.Reason, payment.Command{})
	w.ContentType = contentType(c.header)
	w.Headers = maskedHeaders(c.header)
	if !c.read {
		return w
	}
	w.BodyBytes, w.BodySHA256 = len(c.body), digest(string(c.body))
	whole := true
	if body, all, ok := masking.JSON(c.body, events.MaxRefusedBody, plainField); ok {
		w.Body, whole = body, all
	} else if w.ContentType == form {
		w.Body, whole = maskedForm(string(c.body))
	}
	w.Truncated = !whole
	return w
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func contentType(header http.Header) string {
	text := header.Get("Content-Type")
	if text == "" {
		return ""
	}
	kind, _, _ := mime.ParseMediaType(text)
	if slices.Contains(mediaTypes, kind) {
		return kind
	}
	return "other"
}

var (
	headerName    = regexp.MustCompile(`^[A-Za-z][A-Za-z-]{0,39}$`)
	signatureName = regexp.MustCompile(`(?i)sign|hmac|digest`)
)

// maskedHeaders says which headers there are and how long they are.
func maskedHeaders(header http.Header) []events.RefusedHeader {
	list, signatures := []events.RefusedHeader{}, 0
	for _, name := range slices.Sorted(maps.Keys(header)) {
		if len(list) == maxRefusedHeaders {
			break
		}
		if !headerName.MatchString(name) {
			continue
		}
		value := strings.Join(header[name], ", ")
		one := events.RefusedHeader{Name: name, Bytes: len(value)}
		if signatureName.MatchString(name) && len(value) >= minSignature && signatures < maxRefusedSignatures {
			one.SHA256 = digest(value)
			signatures++
		}
		list = append(list, one)
	}
	return list
}

// maskedForm is a form with its values masked, and the names that do not look like those of fields.
func maskedForm(body string) (masked string, whole bool) {
	var text strings.Builder
	for pair := range strings.SplitSeq(body, "&") {
		if text.Len() > events.MaxRefusedBody {
			break
		}
		if text.Len() > 0 {
			text.WriteByte('&')
		}
		name, value, isField := strings.Cut(pair, "=")
		shown := "…"
		if decoded, err := url.QueryUnescape(value); err == nil && plainField("", name, decoded) {
			shown = value
		}
		if !masking.FieldName(name) || !isField {
			name = "…"
		}
		text.WriteString(name + "=" + shown)
	}
	return masking.Beginning(text.String(), events.MaxRefusedBody)
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
		return value != "" && masking.Code(value) == value
	case slices.Contains(amountFields, path):
		return amountPattern.MatchString(value)
	case path == "currency" || path == "sum.currency":
		return currencyPattern.MatchString(value)
	}
	return false
}
