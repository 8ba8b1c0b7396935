package events_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

func TestDecodePayment(t *testing.T) {
	for name, p := range exampleEvents() {
		m, err := events.EncodePayment(p, exampleID)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := events.DecodePayment(m.Data); err != nil || !reflect.DeepEqual(got, p) {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, p)
		}
		newer := bytes.Replace(m.Data, []byte("{"), []byte(`{"a_later_field":{"x":[1]},`), 1)
		if got, err := events.DecodePayment(newer); err != nil || !reflect.DeepEqual(got, p) {
			t.Errorf("%s: with a later field: %+v, %v", name, got, err)
		}
	}
}

func TestDecodePaymentRefuses(t *testing.T) {
	m := goldenMessages(t)["payment.settled"].Data
	for old, changed := range map[string]string{
		`"provider":"teemopay-kr"`: `"provider":"Teemo"`, `"status":"settled"`: `"status":"done"`, `"operation":"deposit"`: `"operation":"refund"`,
		`"value":"10000"`: `"value":"-10000"`, `"revision":3`: `"revision":"3"`, `{"provider"`: `{{"provider"`,
	} {
		if !bytes.Contains(m, []byte(old)) {
			t.Fatalf("the example has no %s", old)
		}
		if got, err := events.DecodePayment(bytes.Replace(m, []byte(old), []byte(changed), 1)); err == nil || !reflect.DeepEqual(got, payment.Payment{}) {
			t.Errorf("%s: got %+v", changed, got)
		}
	}
}

// What DecodePayment would not read is not written: the log could never be read past it.
func TestEncodePaymentRefuses(t *testing.T) {
	for name, change := range map[string]func(*payment.Payment){
		"no order":          func(p *payment.Payment) { p.Order = "" },
		"requested":         func(p *payment.Payment) { p.Status = payment.Requested },
		"no status":         func(p *payment.Payment) { p.Status = "" },
		"no operation":      func(p *payment.Payment) { p.Operation = "" },
		"a negative amount": func(p *payment.Payment) { p.SettledAmount = payment.KRW(-1) },
		"another currency": func(p *payment.Payment) {
			p.Transfers = []payment.Transfer{{Amount: payment.Money{Minor: 1, Currency: "USD"}}}
		},
		"the year 10000": func(p *payment.Payment) { p.UpdatedAt = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		p := exampleEvents()["payment.settled"]
		change(&p)
		if out, err := events.EncodePayment(p, "1"); err == nil {
			t.Errorf("%s was written: %s", name, out.Data)
		}
	}
}

func FuzzDecodePayment(f *testing.F) {
	for _, p := range exampleEvents() {
		m, err := events.EncodePayment(p, exampleID)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(m.Data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		readsRecords(t, data)
		p, err := events.DecodePayment(data)
		if err != nil || p.Status == payment.Requested {
			return
		}
		out, err := events.EncodePayment(p, "1")
		if err != nil {
			t.Fatalf("%s was read and cannot be written: %v", data, err)
		}
		again, err := events.DecodePayment(out.Data)
		if err != nil {
			t.Fatalf("%s cannot be read: %v", out.Data, err)
		}
		twice, err := events.EncodePayment(again, "1")
		if err != nil || !bytes.Equal(twice.Data, out.Data) {
			t.Fatalf("%s became %s, %v", out.Data, twice.Data, err)
		}
	})
}

func TestSubjects(t *testing.T) {
	for want, got := range map[string]string{
		"deposit.requested.teemopay-kr.D-20261122-0001": events.CommandSubject(payment.Deposit, ref),
		"payout.requested":                             events.ShortSubject(payment.Payout),
		"parked.teemopay-kr.D-20261122-0001":           events.ParkedSubject(ref),
		"payment.in_doubt.teemopay-kr.D-20261122-0001": events.PaymentSubject(payment.InDoubt, ref),
		"payment.*.teemopay-kr.D-20261122-0001":        events.PaymentFilter(ref),
		"*.requested.teemopay-kr.D-20261122-0001":      events.CommandFilter(ref),
		"webhook.received.teemopay-kr.D-20261122-0001": events.WebhookSubject(ref),
		"deadletter.commands.teemopay-kr":              events.DeadLetterSubject(events.StreamCommands, "teemopay-kr"),
		"deadletter.webhooks.unknown":                  events.DeadLetterSubject(events.StreamWebhooks, "a.b"),
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		named, ok := events.SubjectRef(want)
		if names := strings.Contains(want, "D-2026"); ok != names || ok && named != ref {
			t.Errorf("%s names %v, %v", want, named, ok)
		}
	}
	for _, subject := range []string{"", "a.b.c", "parked.a.b.c", "parked.a", "payment.settled.A.b", "a.b.c.d.e", "payment.settled.a.*"} {
		if got, ok := events.SubjectRef(subject); ok || got != (payment.Ref{}) {
			t.Errorf("%s names %v, %v", subject, got, ok)
		}
	}
}

// The log names what the customer must do and never holds it, whatever it is; what is shown has it where it is kept.
func TestActionsAreNamedInTheLogOnly(t *testing.T) {
	for _, content := range []*payment.Action{redirect(), transfer(), clarification()} {
		p := exampleEvents()["payment.pending"]
		p.Action = content
		p.Action.Stored = exampleActionID
		p.WithheldAction = content
		m, err := events.EncodePayment(p, exampleID)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(paymentSchema, m.Data); err != nil {
			t.Errorf("%s: %v", m.Data, err)
		}
		for _, personal := range []string{"pay.example", "abc", "9001", "Shop", "first_name"} {
			if strings.Contains(string(m.Data), personal) {
				t.Errorf("%s is in the event: %s", personal, m.Data)
			}
		}
		read, err := events.DecodePayment(m.Data)
		if err != nil || !read.Action.Missing() || !read.Action.Same(p.Action) || !read.WithheldAction.Missing() {
			t.Errorf("%+v, %v", read, err)
		}
		shown, err := json.Marshal(events.DataOf(p))
		if err != nil || strings.Contains(string(shown), "stored_action") || validate(paymentSchema, shown) != nil {
			t.Errorf("shown as %s, %v", shown, err)
		}
		kept, err := events.EncodeAction(p.Ref, *content, exampleActionID, begin)
		if err != nil {
			t.Fatal(err)
		}
		back, err := events.DecodeAction(p.Ref, exampleActionID, kept.Data)
		if err != nil || back.Stored != exampleActionID || !back.Same(content) {
			t.Errorf("%+v, %v", back, err)
		}
		if _, err := events.DecodeAction(payment.Ref{Provider: "other-kr", Order: p.Order}, exampleActionID, kept.Data); err == nil {
			t.Error("another payment's content is taken")
		}
	}
}
