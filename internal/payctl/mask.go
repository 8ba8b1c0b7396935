package payctl

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"payonce/pkg/connectors/masking"
)

const mask = "…"

// plainFields are shown of a content that is masked: what names and measures a payment.
var plainFields = []string{"provider", "order", "operation", "amount", "currency", "requested_at", "expires_at", "method", "revision"}

// plainAttributes are the attributes of a CloudEvent that name a message. Others are the upstream's own and can
// hold anything: a partition key is often the customer.
var plainAttributes = []string{
	"ce-specversion", "ce-id", "ce-source", "ce-type", "ce-subject", "ce-time", "ce-datacontenttype", "ce-dataschema", "ce-traceparent",
}

// plainHeader reports whether a header is ours and holds nothing personal. An HTTP header of a webhook can
// hold a signature or an address.
func plainHeader(name string) bool {
	lower := strings.ToLower(name)
	return slices.Contains(plainAttributes, lower) || strings.HasPrefix(lower, "payonce-") && !strings.HasPrefix(lower, "payonce-http-")
}

// maskBody shows the shape of a JSON document, and of anything else its size.
func maskBody(body []byte) string {
	masked, _, ok := masking.JSON(body, 0, func(_, name, _ string) bool { return slices.Contains(plainFields, name) })
	if !ok {
		return fmt.Sprintf("(%d bytes, not JSON; --unmask shows them)", len(body))
	}
	return laidOut(masked)
}

// laidOut shows a JSON document, or what is no longer one because it was cut, as text of several lines.
func laidOut(document string) string {
	var shown bytes.Buffer
	if json.Indent(&shown, []byte(document), "", "  ") != nil {
		return printableLines(document)
	}
	return printableLines(shown.String())
}

func printableLines(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = printable(lines[i])
	}
	return strings.Join(lines, "\n")
}
