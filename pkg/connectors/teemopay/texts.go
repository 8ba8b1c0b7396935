package teemopay

import (
	"payonce/pkg/connectors/check"
	"payonce/pkg/connectors/signedtext"
)

// badText is what is wrong with a text for which [signedtext.HoldsField] holds.
const badText = "must not have an & before an ="

// plainText refuses texts of a command that the provider could repeat in a callback and that would make the signed
// text of it readable in two ways, so that it settled nothing.
func plainText() check.Test {
	return check.That(func(text string) bool { return !signedtext.HoldsField(text) }, badText, "no & before an =")
}
