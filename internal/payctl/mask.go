package payctl

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"payonce/pkg/boundedjson"
)

const mask = "…"

// plainFields are shown of a content that is masked: what names and measures a payment.
var plainFields = []string{"provider", "order", "operation", "amount", "currency", "requested_at", "expires_at", "method", "revision"}

// fieldName is what a field is called by those who design formats. Any other name can be somebody's.
var fieldName = regexp.MustCompile(`^[A-Za-z_][A-Za-z_.-]{0,39}$`)

// What an amount consists of, also one that is refused.
var (
	amountValue    = regexp.MustCompile(`^[-+0-9.,e]{1,24}$`)
	amountCurrency = regexp.MustCompile(`^[A-Za-z]{3}$`)
)

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
	var doc any
	if _, err := boundedjson.Parse(body, boundedjson.Limits{Depth: maxShownDepth, Doubles: true}); err != nil && deep(err) || json.Unmarshal(body, &doc) != nil {
		return fmt.Sprintf("(%d bytes, not JSON; --unmask shows them)", len(body))
	}
	shown, err := json.MarshalIndent(masked("", doc), "", "  ")
	if err != nil {
		return mask
	}
	return printableLines(string(shown))
}

// maxShownDepth bounds what is shown of a document: each level is indented further than the one around it.
const maxShownDepth = 64

func deep(err error) bool {
	bad := new(boundedjson.Error)
	return errors.As(err, &bad) && bad.Problem.Limit()
}

func masked(name string, value any) any {
	switch x := value.(type) {
	case map[string]any:
		if isAmount(x) {
			return x
		}
		out := map[string]any{}
		for key, inner := range x {
			if !fieldName.MatchString(key) {
				key = mask
			}
			out[key] = masked(key, inner)
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, inner := range x {
			out[i] = masked("", inner)
		}
		return out
	case nil, bool:
		return x
	}
	if slices.Contains(plainFields, name) {
		return value
	}
	return mask
}

// isAmount reports whether an object is meant as an amount, which can be a bad one. The value of anything
// else can be a name.
func isAmount(object map[string]any) bool {
	value, currency := fmt.Sprint(object["value"]), fmt.Sprint(object["currency"])
	return len(object) == 2 && amountValue.MatchString(value) && amountCurrency.MatchString(currency)
}

func printableLines(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = printable(lines[i])
	}
	return strings.Join(lines, "\n")
}
