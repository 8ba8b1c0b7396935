package events_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// refuse decodes a message and expects it to be refused in exactly this way.
func refuse(t *testing.T, m events.Message, reason events.DeadReason, field, problem string, named payment.Ref) {
	t.Helper()
	cmd, err := events.DecodeCommand(m)
	var got *events.CommandError
	if !errors.As(err, &got) {
		t.Errorf("%.200s: got %+v, %v", m.Data, cmd, err)
		return
	}
	if got.Reason != reason || got.Field != field || !strings.HasPrefix(got.Problem, problem) || got.Ref != named {
		t.Errorf("%.200s:\ngot  %+v\nwant %s %s: %s of %s", m.Data, *got, reason, field, problem, named)
	}
	if (len(got.All) > 0) != (field != "") || field != "" && got.All[0].Field != field {
		t.Errorf("%.200s: all that is wrong is %v", m.Data, got.All)
	}
	if text := strings.TrimPrefix(field+": "+problem, ": "); !strings.HasPrefix(err.Error(), text) {
		t.Errorf("the error says %q", err)
	}
	if cmd.Order != "" || cmd.Fingerprint() != (payment.Command{}).Fingerprint() {
		t.Errorf("a refused command came out: %+v", cmd)
	}
}

// body returns the JSON of a small command with more fields.
func body(more string) string {
	return `{"provider":"teemopay-kr","order":"D-20261122-0001","amount":{"value":"10000","currency":"KRW"}` + more + `}`
}

func short(text string) events.Message {
	return events.Message{Subject: "deposit.requested", Data: []byte(text)}
}

func TestStrictCommands(t *testing.T) {
	none := payment.Ref{}
	amount := func(text string) string {
		return `{"provider":"teemopay-kr","order":"D-20261122-0001","amount":` + text + `}`
	}
	for _, c := range []struct {
		body, field, problem string
		named                payment.Ref
	}{
		{body(`,"retrun_url":"x"`), "retrun_url", "is not a field of a command; did you mean return_url?", ref},
		{body(`,"emial":"x"`), "emial", "is not a field of a command; did you mean customer.email?", ref},
		{body(`,"customer":{"fullName":"x"}`), "customer.fullName", "is not a field of a command; did you mean customer.name?", ref},
		{body(`,"customer":{"account_holder":"x"}`), "customer.account_holder", "is not a field of a command; did you mean account.holder?", ref},
		{body(`,"currency":"KRW"`), "currency", "is not a field of a command; did you mean amount.currency?", ref},
		{body(`,"zzz":"x"`), "zzz", "is not a field of a command", ref},
		{body(`,"customer":{"nmae":"x"}`), "customer.nmae", "is not a field of a command; did you mean customer.name?", ref},
		{body(`,"Command":{}`), "Command", "is not a field of a command", ref},
		{body(`,"Ref":{"order":"x"}`), "Ref", "is not a field of a command", ref},
		{body(`,"` + strings.Repeat("길", 60) + `":1`), strings.Repeat("길", 42) + "…", "is not a field of a command", ref},

		{body(`,"order":"D-2"`), "order", "occurs twice", none},
		{body(`,"Provider":"p"`), "Provider", "occurs twice", none},
		{body(`,"method":"a","method":"a"`), "method", "occurs twice", ref},
		{body(`,"method":"a","Method":"b"`), "Method", "occurs twice", ref},
		{body(`,"cu\u017ftomer":{},"customer":{}`), "customer", "occurs twice", ref},
		{body(`,"customer":{"name":"a","name":"b"}`), "customer.name", "occurs twice", ref},
		{body(`,"customer":{"name":"a","NAME":"b"}`), "customer.NAME", "occurs twice", ref},
		{body(`,"customer":{"name":"a","n\u0061me":"b"}`), "customer.name", "occurs twice", ref},
		{body(`,"metadata":{"a":"1","a":"2"}`), "metadata.a", "occurs twice", ref},
		{body(`,"customer":{"name":"a","name":"b"},"ORDER":"x"`), "customer.name", "occurs twice", none},
		{amount(`{"value":"1","value":"2","currency":"KRW"}`), "amount.value", "occurs twice", ref},

		{`{"provider":5,"order":"D-1"}`, "provider", "must be a string, not a number", none},
		{`{"provider":"p","order":["D-1"]}`, "order", "must be a string, not an array", none},
		{body(`,"customer":{"name":5}`), "customer.name", "must be a string, not a number", ref},
		{body(`,"customer":"Hong"`), "customer", "must be an object, not a string", ref},
		{body(`,"account":{"last_digits":"12345"}`), "account.last_digits", "must be an array, not a string", ref},
		{body(`,"metadata":{"cart":9}`), "metadata.cart", "must be a string, not a number", ref},
		{body(`,"operation":true`), "operation", "must be a string, not a boolean", ref},
		{body(`,"expires_at":1795305600`), "expires_at", "must be a string, not a number", ref},
		{body(`,"operation":"payout"`), "operation", `must be "deposit" here, or left out`, ref},

		{amount(`{"value":"10.5","currency":"KRW"}`), "amount.value", "KRW has no decimals", ref},
		{amount(`{"value":"1.234","currency":"TWD"}`), "amount.value", "TWD has 2 decimals", ref},
		{amount(`{"value":"-1","currency":"KRW"}`), "amount.value", `must be a decimal number of digits, like "10000"`, ref},
		{amount(`{"value":"1000000000000000","currency":"KRW"}`), "amount.value", "must have at most 15 digits before the point", ref},
		{amount(`{"value":10000,"currency":"KRW"}`), "amount.value", `must be a string like "10000", not a number`, ref},
		{amount(`{"value":"1","currency":"USD"}`), "amount.currency", "must be KRW or TWD", ref},
		{amount(`{"value":"1","currency":"KRW","unit":"x"}`), "amount.unit", "is not a field of a command", ref},
		{amount(`{"currency":"KRW"}`), "amount.value", "is required", ref},
		{amount(`{"value":"1"}`), "amount.currency", "is required", ref},
		{amount(`{"value":"10,000","currency":"KRW"}`), "amount.value", `must have no separators, like "10000"`, ref},
		{amount(`10000`), "amount", `must be an object like {"value":"10000","currency":"KRW"}, not a number`, ref},
		{`{"provider":"p","order":"D 1","x":1}`, "x", "is not a field of a command", none},
	} {
		refuse(t, short(c.body), events.DeadInvalid, c.field, c.problem, c.named)
	}
	const problem = "must be an RFC 3339 time, like 2026-11-22T09:00:00+09:00"
	for _, bad := range []string{
		"tomorrow", "2026-11-22", "2026-11-22 09:00:00Z", "2026-11-22T9:00:00Z", "2026-11-22T09:00:00,5Z", "2026-11-22T09:00:00", "2026-02-30T09:00:00Z",
		"2026-11-22T24:00:00Z", "2026-11-22T09:00:00+25:00", "9999-12-31T23:59:59-01:00", "0000-01-01T00:00:00+01:00", "+10000-01-01T00:00:00Z",
	} {
		refuse(t, short(body(`,"expires_at":"`+bad+`"`)), events.DeadInvalid, "expires_at", problem, ref)
		refuse(t, short(body(`,"requested_at":"`+bad+`","expires_at":"`+bad+`"`)), events.DeadInvalid, "requested_at", problem, ref)
	}
}

// All that is wrong is told at once, and what could be read is there to be checked further.
func TestAllProblemsOfACommand(t *testing.T) {
	_, err := events.ParseCommand(payment.Deposit, []byte(`{"order":"D-1","amount":{"value":"1,000"},"customer":{"fullname":"Kim","name":"Hong","phone":5},`+
		`"account":[],"metadata":{"cart":{}},"expires_at":"tomorrow","operation":"payout"}`))
	var refused *events.CommandError
	if !errors.As(err, &refused) {
		t.Fatal(err)
	}
	want := "customer.fullname: is not a field of a command; did you mean customer.name?; customer.phone: must be a string, not a number; account: must be an object, not an array; " +
		"metadata.cart: must be a string, not an object; amount.currency: is required; expires_at: must be an RFC 3339 time, like 2026-11-22T09:00:00+09:00; " +
		`operation: must be "deposit" here, or left out`
	if got := err.Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	cmd, ok := refused.Partial()
	if !ok || cmd.Customer.Name != "Hong" || cmd.Order != "D-1" || cmd.Operation != payment.Deposit {
		t.Errorf("it read %v %+v", ok, cmd)
	}
	if text := fmt.Sprintf("%v %+v", refused, refused); strings.Contains(text, "Hong") {
		t.Errorf("the error shows what was read: %s", text)
	}
	many := strings.Builder{}
	for i := range 200 {
		fmt.Fprintf(&many, `,"x%d":1`, i)
	}
	if _, err = events.ParseCommand(payment.Deposit, []byte(body(many.String()))); !errors.As(err, &refused) || len(refused.All) != 32 {
		t.Errorf("%d problems are told: %v", len(refused.All), err)
	}
}

func TestWhereJSONIsMalformed(t *testing.T) {
	for text, want := range map[string]string{
		"{\n  \"a\": 1,\n}":    "the body is not well-formed JSON, at line 3, column 1: a comma before the end",
		`{"a":1 "b":2}`:        "the body is not well-formed JSON, at line 1, column 8",
		`{'a':1}`:              "the body is not well-formed JSON, at line 1, column 2: texts stand in double quotes",
		`{"a":"길","b":`:        "the body is not well-formed JSON, at line 1, column 14: it ends too early",
		"{\"a\":1}\n{\"b\":2}": "there is more than one JSON document, at line 2, column 1",
		" \n":                  "the body is empty",
	} {
		if _, err := events.ParseCommand(payment.Deposit, []byte(text)); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestShownField(t *testing.T) {
	for field, want := range map[string]string{
		"customer.fullName": "customer.fullName", "metadata.cart": "metadata.cart", "metadata.01098765432": "metadata", "hong@example.com": "", "": "",
		"account.last_digits[0]": "account.last_digits[0]", "metadata.a.b c": "metadata.a", "customer.길동": "customer", strings.Repeat("x", 33): "",
	} {
		if got := events.ShownField(field); got != want {
			t.Errorf("%q is shown as %q, want %q", field, got, want)
		}
	}
}

func TestUndecodableCommands(t *testing.T) {
	const malformed, notObject, several = "the body is not well-formed JSON", "the body is not a JSON object", "there is more than one JSON document"
	for text, problem := range map[string]string{
		"": "the body is empty", "null": notObject, "[]": notObject, `"x"`: notObject, "nonsense": notObject, "\x00": notObject,
		"{": malformed, `{"a"}`: malformed, `{"a":}`: malformed, `{a:1}`: malformed, `{"a":[1,}`: malformed, `{"a":[1 2]}`: malformed, `{"a":"` + "\x00" + `"}`: malformed,
		`{"a":1,}`: malformed, `{"a":01}`: malformed, `{"a":"\x"}`: malformed, `{,}`: malformed,
		`{"a":[tru`: malformed, `{"a":`: malformed,
		body("") + body(""): several, body("") + "x": several, body("") + "}": several, body("") + "]": several, body("") + " {": several, body("") + "\x00": several,
		"\xef\xbb\xbf" + body(""):                                                 notObject, // a byte order mark
		body(`,"method":"` + "\xff" + `"`):                                        "the body is not UTF-8",
		body(`,"method":"` + "\xed\xa0\x80" + `"`):                                "the body is not UTF-8",
		body(`,"x":` + strings.Repeat("[", 30_000) + strings.Repeat("]", 30_000)): "the body is nested too deeply",
		strings.Repeat(`{"a":`, 10_000):                                           "the body is nested too deeply",
	} {
		refuse(t, short(text), events.DeadUndecodable, "", problem, payment.Ref{})
		// The subject still names the payment.
		refuse(t, events.Message{Subject: "deposit.requested.teemopay-kr.D-20261122-0001", Data: []byte(text)}, events.DeadUndecodable, "", problem, ref)
	}
	// A NUL in a text is JSON, but no text of a command.
	cmd, err := events.DecodeCommand(short(body(`,"method":"a\u0000"`)))
	if err != nil || cmd.Validate() == nil {
		t.Errorf("got %q, %v", cmd.Method, err)
	}
}

func TestTooBigCommand(t *testing.T) {
	fits := body(`,"x":"` + strings.Repeat("x", events.MaxCommandBytes-len(body(`,"x":""`))) + `"`)
	refuse(t, short(fits), events.DeadInvalid, "x", "is not a field of a command", ref)
	problem := fmt.Sprintf("%d bytes, more than the %d of a command", events.MaxCommandBytes+1, events.MaxCommandBytes)
	refuse(t, events.Message{Subject: "deposit.requested.teemopay-kr.D-20261122-0001", Data: []byte(fits + " ")}, events.DeadTooBig, "", problem, ref)
	_, err := events.ParseCommand(payment.Deposit, []byte(fits+" "))
	var got *events.CommandError
	if !errors.As(err, &got) || got.Reason != events.DeadTooBig || got.Problem != problem {
		t.Errorf("got %v", err)
	}
}

// A subject and a body that name different payments stand for neither.
func TestSubjectMismatch(t *testing.T) {
	const other, invalid = "provider or order differ between subject and body", "the subject names no valid provider and order"
	for subject, problem := range map[string]string{
		"deposit.requested.teemopay-kr.D-2":               other,
		"deposit.requested.teemopay-tw.D-20261122-0001":   other,
		"deposit.requested.teemopay-kr":                   invalid,
		"deposit.requested.":                              invalid,
		"deposit.requested.Teemo.D-1":                     invalid,
		"deposit.requested.teemopay-kr.D~1":               invalid,
		"deposit.requested.teemopay-kr.D-20261122-0001.x": invalid,
		"deposit.requested.*.D-20261122-0001":             invalid, // the broker stores what is published to it, as it is
		"deposit.requested.teemopay-kr.*":                 invalid,
		"deposit.requested.teemopay-kr.>":                 invalid,
		"deposit.requested.>":                             invalid,
		"deposit.requested.*":                             invalid,
		"deposit.requested.*.*":                           invalid,
		"deposit.requestedx":                              "not a command subject",
		"refund.requested.teemopay-kr.D-20261122-0001":    "not a command subject",
		"payment.settled.teemopay-kr.D-20261122-0001":     "not a command subject",
		"parked.teemopay-kr.D-20261122-0001":              "not a command subject",
		"":                                                "not a command subject",
	} {
		refuse(t, events.Message{Subject: subject, Data: []byte(body(""))}, events.DeadMismatch, "", problem, payment.Ref{})
	}
	// Neither may a wrong body under another's subject make an event for that other.
	wrong := []byte(body(`,"retrun_url":"x"`))
	refuse(t, events.Message{Subject: "deposit.requested.teemopay-kr.D-2", Data: wrong}, events.DeadMismatch, "", other, payment.Ref{})
	unnamed := []byte(`{"order":5}`)
	refuse(t, events.Message{Subject: "deposit.requested.teemopay-kr.D-20261122-0001", Data: unnamed}, events.DeadInvalid, "order", "must be a string, not a number", ref)
}

func TestLenientWhereNothingIsLost(t *testing.T) {
	for _, text := range []string{
		"\n\t " + body("") + " \r\n", body(`,"operation":"deposit"`), body(`,"METHOD":"va"`), body(`,"customer":null,"metadata":null,"expires_at":null`),
		body(`,"metadata":{"id":"1","ID":"2","customer.id":"3"}`), // the upstream's own names differ in case
		body(`,"expires_at":"","requested_at":"2026-11-22T09:00:00.5+09:00"`),
	} {
		if cmd, err := events.DecodeCommand(short(text)); err != nil || cmd.Ref != ref || cmd.Operation != payment.Deposit || cmd.Validate() != nil {
			t.Errorf("%s: got %+v, %v", text, cmd, err)
		}
	}
	cmd, err := events.DecodeCommand(short(body(`,"metadata":{"id":"1","ID":"2"}`)))
	if err != nil || cmd.Metadata["id"] != "1" || cmd.Metadata["ID"] != "2" {
		t.Errorf("got %v, %v", cmd.Metadata, err)
	}
}

func TestRequestedAt(t *testing.T) {
	stored, first, said := begin.Add(2*time.Hour), begin.Add(time.Hour), begin
	for name, c := range map[string]struct {
		more, header string
		want         time.Time
	}{
		"the command says":     {`,"requested_at":"2026-11-22T09:00:00.123456789+09:00"`, first.Format(time.RFC3339Nano), said},
		"the header says":      {"", first.In(time.FixedZone("KST", 9*3600)).Format(time.RFC3339Nano), first},
		"nobody says":          {"", "", stored},
		"the header is wrong":  {"", "yesterday", stored},
		"the header overflows": {"", "9999-12-31T23:59:59-01:00", stored},
	} {
		t.Run(name, func(t *testing.T) {
			m := events.Message{Subject: "deposit.requested", Data: []byte(body(c.more)), StoredAt: stored, Header: events.Header{}}
			if c.header != "" {
				m.Header["payonce-requested-at"] = []string{c.header}
			}
			if got, err := events.DecodeCommand(m); err != nil || !got.RequestedAt.Equal(c.want) {
				t.Errorf("got %s, %v, want %s", got.RequestedAt, err, c.want)
			}
		})
	}
}

func TestEncodeCommandRefuses(t *testing.T) {
	wrong := fullCommand(payment.Deposit)
	wrong.Order = "a.b"
	if _, err := events.EncodeCommand(wrong, "1"); err == nil {
		t.Error("an order of two subject tokens")
	}
	wrong = fullCommand(payment.Deposit)
	wrong.Amount = payment.KRW(-1)
	if _, err := events.EncodeCommand(wrong, "1"); err == nil || strings.Contains(err.Error(), "hong@") {
		t.Errorf("got %v", err)
	}
}

func FuzzDecodeCommand(f *testing.F) {
	for _, subject := range []string{"deposit.requested", "payout.requested.teemopay-kr.D-20261122-0001", "deposit.requested.x", "parked.a.b"} {
		for _, text := range []string{body(""), body(`,"customer":{"name":"a","NAME":"b"}`), body("") + "}", `{"specversion":"1.0","data":{}}`, "{"} {
			f.Add(subject, "", "", []byte(text))
			f.Add(subject, "Content-Type", "application/cloudevents+json", []byte(text))
			f.Add(subject, "ce-id", "%C0%A0", []byte(text))
		}
	}
	f.Fuzz(func(t *testing.T, subject, header, value string, data []byte) {
		m := events.Message{Subject: subject, Data: bytes.Clone(data), Header: events.Header{header: {value}}, StoredAt: begin}
		decodes(t, subject, m.Header, m.Data)
		cmd, err := events.DecodeCommand(m)
		if !bytes.Equal(m.Data, data) {
			t.Fatal("the message changed")
		}
		if err != nil {
			var refused *events.CommandError
			if !errors.As(err, &refused) || refused.Reason == "" || refused.Problem == "" {
				t.Fatalf("got %v", err)
			}
			if refused.Ref != (payment.Ref{}) && refused.Ref.Validate() != nil {
				t.Fatalf("an invalid name %q", refused.Ref)
			}
			if named, long := events.SubjectRef(subject); long && refused.Ref != (payment.Ref{}) && refused.Ref != named {
				t.Fatalf("%s makes an error about %s", subject, refused.Ref)
			}
			return
		}
		if len(cmd.Fingerprint()) != 64 {
			t.Fatal("no fingerprint")
		}
		if cmd.Validate() != nil {
			return
		}
		out, err := events.EncodeCommand(cmd, "1")
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(commandSchema, out.Data); err != nil {
			t.Fatal(err)
		}
		again, err := events.DecodeCommand(events.Message{Subject: out.Subject, Header: out.Header, Data: out.Data})
		if err != nil || again.Fingerprint() != cmd.Fingerprint() {
			t.Fatalf("got %+v, %v, want %+v", again, err, cmd)
		}
	})
}

// What is written in Unicode's other form, or with escapes, is read as the same text; half a character is none.
func TestTextsAreReadInTheComposedForm(t *testing.T) {
	for text, want := range map[string]string{
		"\u1112\u1169\u11bc\u1100\u1175\u11af\u1103\u1169\u11bc": "홍길동", `\u1112\u1169\u11bc`: "홍", "홍길동": "홍길동", `\ud83d\ude00`: "😀",
	} {
		cmd, err := events.DecodeCommand(short(body(`,"customer":{"name":"` + text + `"},"account":{"holder":"` + text + `"}`)))
		if err != nil || cmd.Customer.Name != want || cmd.Account.Holder != want {
			t.Errorf("%s: %+q, %v", text, cmd.Customer.Name, err)
		}
	}
	for _, half := range []string{`\ud83d`, `\ude00`, `\ude00\ud83d`, `홍\ud800길`} {
		cmd, err := events.DecodeCommand(short(body(`,"customer":{"name":"` + half + `"}`)))
		if err == nil {
			err = cmd.Validate()
		}
		if err == nil || !strings.Contains(err.Error(), "customer.name: has a damaged character (U+FFFD) at position") {
			t.Errorf("%s: %v", half, err)
		}
	}
	c, err := events.ParseClarification([]byte(`{"fields":{"customer":{"last_name":"\u1112\u1169\u11bc"}}}`))
	if err != nil || c.Fields["customer"]["last_name"] != "홍" {
		t.Errorf("a clarification: %+v, %v", c.Fields, err)
	}
}
