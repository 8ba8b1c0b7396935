package events_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

func compile(text []byte, id string) *jsonschema.Schema {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		panic(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(id, doc); err != nil {
		panic(err)
	}
	return c.MustCompile(id)
}

var (
	commandSchema = compile(events.CommandSchema, events.CommandSchemaID)
	paymentSchema = compile(events.PaymentSchema, events.PaymentSchemaID)

	clarificationSchema = compile(events.ClarificationSchema, events.ClarificationSchemaID)

	actionSchema = compile(events.ActionSchema, events.ActionSchemaID)
)

// schemaOf returns the schema of a golden message by its name; nil where the data has none.
func schemaOf(golden string) *jsonschema.Schema {
	switch golden {
	case "command.refused":
		return compile(events.RefusalSchema, events.RefusalSchemaID)
	case "balance.reported":
		return compile(events.BalanceSchema, events.BalanceSchemaID)
	}
	kind, _, _ := strings.Cut(golden, ".")
	return map[string]*jsonschema.Schema{"command": commandSchema, "clarification": clarificationSchema, "payment": paymentSchema, "action": actionSchema}[kind]
}

func validate(s *jsonschema.Schema, data []byte) error {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return err
	}
	return s.Validate(doc)
}

func TestGoldenIsWhatTheSchemasSay(t *testing.T) {
	for name, m := range goldenMessages(t) {
		if schema := schemaOf(name); schema != nil {
			if err := validate(schema, m.Data); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// text draws any text that a command takes.
func text(t *rapid.T, label string) string {
	letters := rapid.RuneFrom([]rune("aZ09 -_.%\"\\<>&é홍😀㈜"))
	return rapid.StringOfN(letters, 0, payment.MaxText, -1).Draw(t, label)
}

func drawCommand(t *rapid.T) payment.Command {
	money := rapid.SampledFrom([]payment.Money{payment.KRW(1), payment.KRW(999_999_999_999_999), payment.TWD(1), payment.TWD(99_999_999_999_999_999)})
	texts := rapid.Custom(func(t *rapid.T) string { return text(t, "text") })
	c := payment.Command{
		Ref: payment.Ref{
			Provider: rapid.StringMatching(`[a-z0-9-]{1,32}`).Draw(t, "provider"), Order: rapid.StringMatching(`[A-Za-z0-9_-]{1,64}`).Draw(t, "order"),
		},
		Operation: rapid.SampledFrom(payment.Operations()).Draw(t, "operation"), Amount: money.Draw(t, "amount"),
		Method: text(t, "method"), Language: text(t, "language"), Description: text(t, "description"), ReturnURL: text(t, "url"),
		Customer: payment.Customer{
			ID: text(t, "id"), Name: text(t, "name"), FirstName: text(t, "first"), LastName: text(t, "last"), Email: text(t, "email"),
			Phone: text(t, "phone"), IDType: text(t, "id type"), IDNumber: text(t, "id number"),
			IPAddress: rapid.SampledFrom([]string{"", "203.0.113.7", "2001:db8::1", "::ffff:203.0.113.7"}).Draw(t, "ip"),
		},
		Account: payment.Account{
			Number: text(t, "number"), Holder: text(t, "holder"), BankCode: text(t, "code"), BankName: text(t, "bank"),
			LastDigits: rapid.SliceOfN(texts, 0, payment.MaxLastDigits).Draw(t, "digits"),
		},
		Metadata: rapid.MapOfN(rapid.StringMatching(`[a-zA-Z.]{1,64}`), rapid.StringN(0, 20, payment.MaxMetadataValue), 0, payment.MaxMetadataKeys).Draw(t, "metadata"),
	}
	c.RequestedAt, c.ExpiresAt = drawTime(t), drawTime(t)
	return c
}

// drawTime draws no time, or any that has four digits for its year, in UTC as a command is read.
func drawTime(t *rapid.T) time.Time {
	if rapid.Bool().Draw(t, "no time") {
		return time.Time{}
	}
	first, last := time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC).Unix(), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC).Unix()
	return time.Unix(rapid.Int64Range(first, last).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC()
}

// What Validate takes is what the schema takes, and it goes over the wire unchanged.
func TestEveryCommandRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawCommand(t)
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		m, err := events.EncodeCommand(c, text(t, "event id")+"x")
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(commandSchema, m.Data); err != nil {
			t.Fatalf("%s: %v", m.Data, err)
		}
		got, err := events.DecodeCommand(events.Message{Subject: m.Subject, Header: m.Header, Data: m.Data})
		if err != nil || got.Fingerprint() != c.Fingerprint() || !got.RequestedAt.Equal(c.RequestedAt) || !maps.Equal(got.Metadata, c.Metadata) {
			t.Fatalf("got %+v, %v, want %+v", got, err, c)
		}
	})
}

// Every payment that comes of a valid command and of what can be learned is what the schema says, and
// is read back as it was.
func TestEveryPaymentRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, now := payment.New(drawCommand(t)), begin
		for range rapid.IntRange(1, 8).Draw(t, "steps") {
			now = now.Add(time.Minute)
			next, changed, _ := payment.Decide(p, drawObservation(t, p), now)
			if !changed {
				continue
			}
			m, err := events.EncodePayment(next, "id")
			if err != nil {
				t.Fatal(err)
			}
			if err := validate(paymentSchema, m.Data); err != nil {
				t.Fatalf("%s: %v", m.Data, err)
			}
			read, err := events.DecodePayment(m.Data)
			if err != nil {
				t.Fatalf("%s: %v", m.Data, err)
			}
			again, err := events.EncodePayment(read, "id")
			if err != nil || !bytes.Equal(again.Data, m.Data) {
				t.Fatalf("%s was read as %s, %v", m.Data, again.Data, err)
			}
			p = read
		}
	})
}

func drawObservation(t *rapid.T, p payment.Payment) payment.Observation {
	o := payment.Observation{
		Kind: rapid.SampledFrom([]payment.Kind{
			payment.Park, payment.Intend, payment.Intend, payment.NotExecuted, payment.Indeterminate, payment.Accepted, payment.Accepted,
			payment.Paid, payment.Declined, payment.Unknown, payment.Reversal, payment.ManuallySettled, payment.ManuallyFailed,
		}).Draw(t, "kind"),
		Reference: text(t, "reference"), Attempt: p.Attempts,
	}
	if rapid.Bool().Draw(t, "with reason") {
		o.Reason = &payment.Reason{Code: payment.ReasonDeclined, ProviderCode: text(t, "code"), Message: text(t, "message")}
	}
	if o.Kind == payment.Accepted {
		o.Action = rapid.SampledFrom([]*payment.Action{nil, redirect(), transfer(), clarification()}).Draw(t, "action")
	}
	if o.Kind == payment.Paid && rapid.Bool().Draw(t, "with transfer") {
		o.Transfers = []payment.Transfer{{Reference: text(t, "transfer"), Amount: payment.Money{Minor: rapid.Int64Range(1, 1e9).Draw(t, "minor"), Currency: p.Amount.Currency}, Fee: drawFee(t, p)}}
	}
	o.Source, o.Report = payment.FromWebhook, payment.Report{Fee: drawFee(t, p), CompletedAt: drawTime(t).In(time.FixedZone("", rapid.IntRange(-14, 14).Draw(t, "zone")*60*60))}
	return o
}

func drawFee(t *rapid.T, p payment.Payment) payment.Fee {
	if rapid.Bool().Draw(t, "no fee") {
		return payment.Fee{}
	}
	return payment.Fee{Hundredths: rapid.OneOf(rapid.Int64(), rapid.Int64Range(-100, 1_000_000)).Draw(t, "fee"), Currency: p.Amount.Currency}
}

// Documents that a schema must refuse: each is a golden one with one change.
func TestSchemasRefuse(t *testing.T) {
	golden := goldenMessages(t)
	for _, c := range []struct {
		golden, path string
		value        any // nil removes
	}{
		{"command.deposit", "provider", nil}, {"command.deposit", "order", nil}, {"command.deposit", "amount", nil},
		{"command.deposit", "provider", "Teemo"}, {"command.deposit", "order", "a.b"}, {"command.deposit", "order", strings.Repeat("a", 65)},
		{"command.deposit", "operation", "refund"}, {"command.deposit", "ordr", "x"}, {"command.deposit", "customer.nmae", "x"},
		{"command.deposit", "account.iban", "x"}, {"command.deposit", "amount.value", 10000}, {"command.deposit", "amount.value", "-1"},
		{"command.deposit", "amount.value", "1e3"}, {"command.deposit", "amount.value", "10.50"}, {"command.deposit", "amount.value", "01"},
		{"command.deposit", "amount.value", "1000000000000000"}, {"command.deposit", "amount.currency", "USD"}, {"command.deposit", "amount.unit", "x"},
		{"command.deposit", "expires_at", "tomorrow"}, {"command.deposit", "expires_at", "2026-11-22"}, {"command.deposit", "requested_at", 5},
		{"command.deposit", "metadata.k", 5}, {"command.deposit", "metadata.", "x"}, {"command.deposit", "metadata.k", strings.Repeat("v", payment.MaxMetadataValue+1)},
		{"command.deposit", "description", strings.Repeat("v", payment.MaxText+1)}, {"command.deposit", "return_url", strings.Repeat("v", payment.MaxURL+1)},
		{"clarification", "provider", nil}, {"clarification", "order", nil}, {"clarification", "fields", nil}, {"clarification", "fields", map[string]any{}},
		{"clarification", "order", "a.b"}, {"clarification", "fields.customer", map[string]any{}}, {"clarification", "fields.customer", "x"},
		{"clarification", "fields.customer.first_name", ""}, {"clarification", "fields.customer.first_name", 5}, {"clarification", "feilds", "x"},
		{"clarification", "fields.customer.first_name", strings.Repeat("v", payment.MaxClarifiedValue+1)}, {"clarification", "fields.customer.", "x"},
		{"clarification", "revision", -1}, {"clarification", "requested_at", "tomorrow"},
		{"payment.parked", "resume_at", nil}, {"payment.parked", "reason", nil}, {"payment.parked", "amount", nil}, {"payment.settled", "settled_amount", nil},
		{"payment.failed", "reason", nil}, {"payment.in_doubt", "reason", nil}, {"payment.conflict", "reason", nil}, {"payment.reversed", "reason", nil},
		{"payment.pending", "amount", nil}, {"payment.submitting", "amount", nil}, {"payment.in_doubt", "amount", nil},
		{"payment.settled", "status", "requested"}, {"payment.settled", "status", "done"}, {"payment.settled", "revision", 0}, {"payment.settled", "revision", 1.5},
		{"payment.settled.fee", "fee.value", "1.23456"}, {"payment.settled.fee", "fee.value", 5}, {"payment.settled.fee", "fee.value", "+1"}, {"payment.settled.fee", "fee.currency", nil},
		{"payment.settled.fee", "provider_completed_at", "yesterday"}, {"payment.settled.fee", "fees", "1"},
		{"balance.reported", "provider", nil}, {"balance.reported", "reported_at", "now"}, {"balance.reported", "balances", []any{}}, {"balance.reported", "balances", nil}, {"balance.reported", "total", 5},
		{"payment.settled", "updated_at", nil}, {"payment.settled", "attempts", -1}, {"payment.settled", "fingerprint", "abc"}, {"payment.failed", "reason.code", nil},
		{"payment.settled", "paid", true}, {"payment.pending.redirect", "action.type", "transfer"}, {"payment.pending.redirect", "action.redirect", nil},
		{"payment.pending.redirect", "action.transfer", map[string]any{"account_number": "1"}}, {"payment.pending.redirect", "action.redirect.method", "PUT"},
		{"payment.pending.transfer", "action.transfer.account_number", nil}, {"payment.pending.transfer", "action.transfer.amount.value", "1.234"},
	} {
		var doc map[string]any
		if err := json.Unmarshal(golden[c.golden].Data, &doc); err != nil {
			t.Fatal(err)
		}
		keys := strings.Split(c.path, ".")
		at := doc
		for _, key := range keys[:len(keys)-1] {
			at = at[key].(map[string]any)
		}
		if at[keys[len(keys)-1]] = c.value; c.value == nil {
			delete(at, keys[len(keys)-1])
		}
		data, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		if validate(schemaOf(c.golden), data) == nil {
			t.Errorf("%s with %s = %v is accepted", c.golden, c.path, c.value)
		}
	}
}

// wireTypes are the structs of the wire.
func wireTypes() []reflect.Type {
	return []reflect.Type{
		reflect.TypeFor[payment.Command](), reflect.TypeFor[payment.Customer](), reflect.TypeFor[payment.Account](),
		reflect.TypeFor[events.PaymentData](), reflect.TypeFor[events.StoredAction](), reflect.TypeFor[payment.Reason](), reflect.TypeFor[payment.Transfer](), reflect.TypeFor[payment.Action](),
		reflect.TypeFor[payment.Redirect](), reflect.TypeFor[payment.TransferInstructions](), reflect.TypeFor[payment.Clarification](),
		reflect.TypeFor[events.Clarification](), reflect.TypeFor[events.AuditRecord](), reflect.TypeFor[events.AuditItem](),
	}
}

// jsonNames returns the fields of a struct by their names on the wire.
func jsonNames(typ reflect.Type) map[string]reflect.StructField {
	names := map[string]reflect.StructField{}
	for _, f := range reflect.VisibleFields(typ) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			names[name] = f
		}
	}
	return names
}

// actionData is the data of a stored action.
type actionData struct {
	payment.Ref
	Action payment.Action `json:"action"`
}

// TestSchemasNameTheFieldsOfTheCode compares the names both ways, nested types included.
func TestSchemasNameTheFieldsOfTheCode(t *testing.T) {
	for _, c := range []struct {
		typ    reflect.Type
		schema []byte
		types  int // that are compared at least, this one counted
	}{
		{reflect.TypeFor[payment.Command](), events.CommandSchema, 4}, {reflect.TypeFor[events.PaymentData](), events.PaymentSchema, 5},
		{reflect.TypeFor[events.Clarification](), events.ClarificationSchema, 1},
		{reflect.TypeFor[actionData](), events.ActionSchema, 5}, {reflect.TypeFor[events.BalanceReport](), events.BalanceSchema, 3},
	} {
		var doc map[string]any
		if err := json.Unmarshal(c.schema, &doc); err != nil {
			t.Fatal(err)
		}
		seen := map[reflect.Type]bool{}
		compareNames(t, doc, doc, c.typ, seen)
		if len(seen) < c.types {
			t.Errorf("only %v were compared", seen)
		}
	}
}

func compareNames(t *testing.T, root, schema map[string]any, typ reflect.Type, seen map[reflect.Type]bool) {
	t.Helper()
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
		typ = typ.Elem()
		if items, ok := schema["items"].(map[string]any); ok {
			schema = items
		}
	}
	if link, ok := schema["$ref"].(string); ok {
		place, name, _ := strings.Cut(strings.TrimPrefix(link, "#/"), "/") // $defs or properties
		schema = root[place].(map[string]any)[name].(map[string]any)
	}
	if typ.Kind() != reflect.Struct || typ == reflect.TypeFor[time.Time]() || seen[typ] {
		return
	}
	seen[typ] = true
	properties, _ := schema["properties"].(map[string]any)
	names := slices.Sorted(maps.Keys(properties))
	if typ == reflect.TypeFor[payment.Money]() || typ == reflect.TypeFor[payment.Fee]() { // write themselves, see their golden bytes
		if !slices.Equal(names, []string{"currency", "value"}) {
			t.Errorf("%s has %v", typ, names)
		}
		return
	}
	fields := jsonNames(typ)
	if want := slices.Sorted(maps.Keys(fields)); !slices.Equal(names, want) {
		t.Errorf("%s: the schema has %v, the code %v", typ, names, want)
	}
	if schema["additionalProperties"] != false {
		t.Errorf("%s: the schema takes any further property", typ)
	}
	for name, f := range fields {
		if property, ok := properties[name].(map[string]any); ok {
			compareNames(t, root, property, f.Type, seen)
		}
	}
}

// TestSchemasHaveTheLimitsOfTheCode compares numbers and lists.
func TestSchemasHaveTheLimitsOfTheCode(t *testing.T) {
	var command, event, clarification map[string]any
	for target, data := range map[*map[string]any][]byte{&command: events.CommandSchema, &event: events.PaymentSchema, &clarification: events.ClarificationSchema} {
		if err := json.Unmarshal(data, target); err != nil {
			t.Fatal(err)
		}
	}
	at := func(doc map[string]any, path string) any {
		var here any = doc
		for _, key := range strings.Split(path, "/") {
			here = here.(map[string]any)[key]
		}
		return here
	}
	number := func(path string, want int) {
		t.Helper()
		if got := at(command, path); got != float64(want) {
			t.Errorf("%s is %v, the code says %d", path, got, want)
		}
	}
	properties := at(command, "properties").(map[string]any)
	texts := 0
	for name, f := range jsonNames(reflect.TypeFor[payment.Command]()) {
		if f.Type == reflect.TypeFor[string]() && name != "provider" && name != "order" && name != "return_url" {
			number("properties/"+name+"/maxLength", payment.MaxText)
			texts++
		}
	}
	for _, parent := range []string{"customer", "account"} {
		for name, p := range properties[parent].(map[string]any)["properties"].(map[string]any) {
			if p.(map[string]any)["type"] == "string" {
				number("properties/"+parent+"/properties/"+name+"/maxLength", payment.MaxText)
				texts++
			}
		}
	}
	if texts < 16 {
		t.Errorf("only %d texts were compared", texts)
	}
	number("properties/account/properties/last_digits/items/maxLength", payment.MaxText)
	number("properties/account/properties/last_digits/maxItems", payment.MaxLastDigits)
	number("properties/return_url/maxLength", payment.MaxURL)
	number("properties/metadata/maxProperties", payment.MaxMetadataKeys)
	number("properties/metadata/propertyNames/maxLength", payment.MaxMetadataKey)
	number("properties/metadata/additionalProperties/maxLength", payment.MaxMetadataValue)

	for path, want := range map[string]int{
		"maxProperties": payment.MaxClarifiedGroups, "propertyNames/maxLength": payment.MaxClarifiedName,
		"additionalProperties/maxProperties": payment.MaxClarifiedFields, "additionalProperties/propertyNames/maxLength": payment.MaxClarifiedName,
		"additionalProperties/additionalProperties/maxLength": payment.MaxClarifiedValue,
	} {
		if got := at(clarification, "properties/fields/"+path); got != float64(want) {
			t.Errorf("fields/%s is %v, the code says %d", path, got, want)
		}
	}
	for _, path := range []string{"properties/provider/pattern", "properties/order/pattern"} {
		if !reflect.DeepEqual(at(command, path), at(clarification, path)) {
			t.Errorf("the schemas differ in %s", path)
		}
	}
	for _, path := range []string{"properties/metadata", "properties/provider/pattern", "properties/order/pattern", "properties/operation", "$defs/money"} {
		if !reflect.DeepEqual(at(command, path), at(event, path)) {
			t.Errorf("the schemas differ in %s", path)
		}
	}
	var statuses, operations []any
	for _, s := range payment.Statuses() {
		if s != payment.Requested {
			statuses = append(statuses, string(s))
		}
	}
	for _, op := range payment.Operations() {
		operations = append(operations, string(op))
	}
	if got := at(event, "properties/status/enum"); !reflect.DeepEqual(got, statuses) {
		t.Errorf("statuses %v, in the code %v", got, statuses)
	}
	if got := at(command, "properties/operation/enum"); !reflect.DeepEqual(got, operations) {
		t.Errorf("operations %v, in the code %v", got, operations)
	}
	for _, currency := range at(command, "$defs/money/properties/currency/enum").([]any) {
		if _, known := payment.Decimals(currency.(string)); !known {
			t.Errorf("the code does not know %v", currency)
		}
	}
}

// The schema's pattern of an amount and ParseMoney take the same texts.
func TestSchemaTakesTheAmountsOfTheCode(t *testing.T) {
	values := []string{"0", "1", "00", "01", "10", "10.", ".5", "0.5", "0.50", "0.500", "1e3", "-1", "+1", " 1", "１", "999999999999999", "1000000000000000", "999999999999999.99", ""}
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(rapid.SampledFrom(values), rapid.StringMatching(`[0-9.]{0,18}`)).Draw(t, "value")
		currency := rapid.SampledFrom([]string{"KRW", "TWD", "USD"}).Draw(t, "currency")
		data, _ := json.Marshal(map[string]any{"provider": "p", "order": "o", "amount": map[string]string{"value": value, "currency": currency}})
		_, ours := payment.ParseMoney(value, currency)
		if schema := validate(commandSchema, data); (ours == nil) != (schema == nil) {
			t.Fatalf("%q %s: the code says %v, the schema %v", value, currency, ours, schema)
		}
	})
}
