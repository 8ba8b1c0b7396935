package payment_test

import (
	"bytes"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

var paymentSchema = sync.OnceValue(func() *jsonschema.Schema {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(events.PaymentSchema))
	if err != nil {
		panic(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(events.PaymentSchemaID, doc); err != nil {
		panic(err)
	}
	return c.MustCompile(events.PaymentSchemaID)
})

// checkWritten writes a payment as an event, validates it against the schema, reads it back and
// returns what a later worker would see.
func checkWritten(t interface {
	Helper()
	Fatalf(string, ...any)
}, p payment.Payment) payment.Payment {
	t.Helper()
	out, err := events.EncodePayment(p, "id")
	if err != nil {
		t.Fatalf("%+v cannot be written: %v", p, err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(out.Data))
	if err != nil {
		t.Fatalf("%s: %v", out.Data, err)
	}
	if err := paymentSchema().Validate(doc); err != nil {
		t.Fatalf("%s is not what the schema says: %v", out.Data, err)
	}
	read, err := events.DecodePayment(out.Data)
	if err != nil {
		t.Fatalf("%s cannot be read: %v", out.Data, err)
	}
	return read
}
