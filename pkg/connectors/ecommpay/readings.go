package ecommpay

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"payonce/pkg/connectors/check"
)

// The signed text "path:value;path:value" does not say where a value ends: the text "x;payment:status:success" of
// a description and a description "x" beside a status look the same in it. An attacker who chooses a text that the provider
// repeats, and gets hold of a signed callback, could send it again with other fields. Three rules guard against it:
//
//   - A command with such a text is not sent, see [checkReadable].
//   - In a callback no text may go on like a field that is read, see [parts.hidden]. Then the fields that are read begin at
//     the same places in every reading, and none can be hidden in a text or be replaced. What could still be added
//     is a number of the payment, and so the two places of that number must agree, see [Connector.Webhook].
//   - A callback with such a text decides nothing: the payment is looked up.
//
// An answer that came to a question of ours by TLS is what the provider wrote, whatever its texts look like.

// readNames are the names in the root of a callback under which something is read.
var readNames = []string{
	"payment", "operation", "operations", "transaction", generalName, "project_id", "payment_id", "sum_request", "sum_real",
	"redirect_data", "redirectData", "return_url", "provider_extra_fields", "display_data", "clarification_fields",
}

// paymentNames are those of them under which the payment's number is.
var paymentNames = []string{"payment:id", generalName, "payment_id"}

// hiding says what the texts of a document go on like.
type hiding int

const (
	nothingHidden hiding = iota
	fieldHidden          // a field that is read: the signed text is ambiguous
	numberHidden         // the payment's number: it is not even certain which payment it is about
)

var errReadings = errors.New("the signed text is ambiguous")

// hidden looks for texts of a document, names and values alike, that go on like a field that is read. It costs no
// more than reading the document did.
func (p *parts) hidden() hiding {
	found := nothingHidden
	for _, one := range p.all {
		text := p.text[one.start:one.end]
		for more := true; more; {
			if _, text, more = strings.Cut(text, ";"); !more {
				break
			}
			if begins(text, paymentNames) {
				return numberHidden
			}
			if begins(text, readNames) {
				found = fieldHidden
			}
		}
	}
	return found
}

// begins reports whether a text begins with one of the names and ":".
func begins(text string, names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		return len(text) > len(name) && text[len(name)] == ':' && text[:len(name)] == name
	})
}

// hiddenPattern is a text that goes on like a field that is read, or does so after its blanks are taken out or its
// letters are made small.
var hiddenPattern = regexp.MustCompile(`(?i);\s*(` + strings.Join(readNames, "|") + `)\s*:`)

// isReadable reports whether a callback that repeats a text has one reading.
func isReadable(text string) bool { return !hiddenPattern.MatchString(text) }

// readable refuses a text with which the callback could not be read.
func readable() check.Test {
	return check.That(isReadable, "must not go on like a field of the provider's callbacks after a semicolon, e.g. ;payment:",
		"no semicolon before the name of a field of the provider's callbacks")
}
