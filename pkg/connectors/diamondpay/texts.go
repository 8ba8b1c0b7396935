package diamondpay

import (
	"payonce/pkg/connectors/check"
	"payonce/pkg/connectors/signedtext"
)

// plainText refuses texts of a command that the provider could repeat in a notification and that would make the
// signed text of it readable in two ways, so that it settled nothing.
func plainText() check.Test {
	return check.That(func(text string) bool { return !signedtext.HoldsField(text) }, "must not have an & before an =", "no & before an =")
}
