package events_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/test/alloctest"
)

// The examples of section 3.1.3.2 of the CloudEvents NATS protocol binding.
func TestPercentEncoding(t *testing.T) {
	for plain, encoded := range map[string]string{
		"Euro € 😀":              "Euro%20%E2%82%AC%20%F0%9F%98%80",
		`"quoted"`:              "%22quoted%22",
		"100%":                  "100%25",
		"a\tb\r\n\x7f":          "a%09b%0D%0A%7F",
		"!#$&'()*+,-./:;<=>?@[": "!#$&'()*+,-./:;<=>?@[",
		"":                      "",
	} {
		if got := events.PercentEncode(plain); got != encoded {
			t.Errorf("%q is written as %q", plain, got)
		}
		if got, err := events.PercentDecode(encoded); err != nil || got != plain {
			t.Errorf("%q is read as %q, %v", encoded, got, err)
		}
	}
}

func TestPercentDecoding(t *testing.T) {
	for encoded, plain := range map[string]string{
		"%e2%82%ac":      "€",         // lower case must be accepted
		"%41%2D":         "A-",        // and what need not be encoded
		"a b":            "a b",       // and blanks of older writers
		"%2520":          "%20",       // decoded once
		`"a b"`:          "a b",       // quotes first
		`"a \"b\" \\ c"`: `a "b" \ c`, // with their escapes
		`"%22"`:          `"`,
		`"`:              `"`,
		`""`:             "",
		`"a\"`:           `a\`,
		`a"b"`:           `a"b"`,
	} {
		if got, err := events.PercentDecode(encoded); err != nil || got != plain {
			t.Errorf("%q is read as %q, %v; want %q", encoded, got, err, plain)
		}
	}
	// "%C0%A0" is the specification's own example: an overlong encoding of a blank.
	for _, bad := range []string{"%C0%A0", "%E2%82", "%ED%A0%80", "%FF", "\xff", "%", "%4", "a%4", "%GG", "%0x", "% 1", "100% sure"} {
		if got, err := events.PercentDecode(bad); err == nil || got != "" && utf8.ValidString(got) && !strings.Contains(bad, "%") {
			t.Errorf("%q is read as %q", bad, got)
		}
	}
}

func FuzzPercentDecode(f *testing.F) {
	for _, s := range []string{"Euro%20%E2%82%AC", "%C0%A0", `"a \"b\""`, "%", "%4", "%%", "\"\\", "a\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		alloctest.Linear(t, len(s), func() { _, _ = events.PercentDecode(s) })
		decoded, err := events.PercentDecode(s)
		if err != nil {
			return
		}
		if !utf8.ValidString(decoded) {
			t.Fatalf("%q gives %q", s, decoded)
		}
		encoded := events.PercentEncode(decoded)
		for _, c := range []byte(encoded) {
			if c <= ' ' || c > '~' || c == '"' {
				t.Fatalf("%q is written as %q", decoded, encoded)
			}
		}
		if again, err := events.PercentDecode(encoded); err != nil || again != decoded {
			t.Fatalf("%q is written as %q and read as %q, %v", decoded, encoded, again, err)
		}
	})
}

func TestEveryTextGoesThroughAHeader(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "text")
		if got, err := events.PercentDecode(events.PercentEncode(s)); err != nil || got != s {
			t.Fatalf("%q came back as %q, %v", s, got, err)
		}
	})
}

// The example of section 3.1.4 of the binding, with header names in any case.
func TestParseAttributesOfTheBindingsExample(t *testing.T) {
	for _, name := range []func(string) string{strings.ToLower, strings.ToUpper, strings.Clone} {
		h := events.Header{}
		for key, value := range map[string]string{
			"Ce-Specversion": "1.0", "Ce-Type": "com.example.someevent", "Ce-Time": "2018-04-05T03:56:24Z", "Ce-Id": "1234-1234-1234",
			"Ce-Source": "/mycontext/subcontext", "Ce-Datacontenttype": "application/json",
		} {
			h[name(key)] = []string{value}
		}
		h["Nats-Msg-Id"] = []string{"no attribute"}
		got, err := events.ParseAttributes(h)
		want := events.Attributes{
			ID: "1234-1234-1234", Source: "/mycontext/subcontext", Type: "com.example.someevent", ContentType: "application/json",
			Time: time.Date(2018, 4, 5, 3, 56, 24, 0, time.UTC),
		}
		if err != nil || got != want {
			t.Errorf("got %+v, %v", got, err)
		}
	}
}

func commandMessage(t *testing.T) events.Message {
	t.Helper()
	m, err := events.EncodeCommand(fullCommand(payment.Deposit), exampleID)
	if err != nil {
		t.Fatal(err)
	}
	return events.Message{Subject: m.Subject, Header: m.Header, Data: m.Data}
}

func TestWrongAttributes(t *testing.T) {
	for name, c := range map[string]struct {
		change func(events.Header)
		says   string
	}{
		"specversion":        {func(h events.Header) { h.Set("ce-specversion", "0.3") }, `header ce-specversion must be "1.0"`},
		"no specversion":     {func(h events.Header) { delete(h, "ce-specversion") }, `header ce-specversion must be "1.0"`},
		"no id":              {func(h events.Header) { delete(h, "ce-id") }, "header ce-id is required"},
		"empty id":           {func(h events.Header) { h.Set("ce-id", "") }, "header ce-id is required"},
		"no source":          {func(h events.Header) { delete(h, "ce-source") }, "header ce-source is required"},
		"no type":            {func(h events.Header) { delete(h, "ce-type") }, "header ce-type is required"},
		"another type":       {func(h events.Header) { h.Set("ce-type", "payout.requested") }, `ce-type must be "deposit.requested"`},
		"time":               {func(h events.Header) { h.Set("ce-time", "yesterday") }, "header ce-time must be an RFC 3339 time"},
		"encoding":           {func(h events.Header) { h.Set("ce-subject", "%C0%A0") }, "header ce-subject: not UTF-8 after percent decoding"},
		"content type":       {func(h events.Header) { h.Set("ce-datacontenttype", "text/xml") }, "ce-datacontenttype must be application/json"},
		"wrong content type": {func(h events.Header) { h.Set("ce-datacontenttype", ";") }, "ce-datacontenttype must be application/json"},
		"doubled":            {func(h events.Header) { h["Ce-Type"] = []string{"deposit.requested"} }, "header ce-type occurs twice"},
		"two values":         {func(h events.Header) { h["ce-id"] = []string{"1", "2"} }, "header ce-id occurs twice"},
	} {
		t.Run(name, func(t *testing.T) {
			m := commandMessage(t)
			c.change(m.Header)
			refuse(t, m, events.DeadUndecodable, "", c.says, ref)
		})
	}
}

func TestGoodContentTypes(t *testing.T) {
	for _, contentType := range []string{"application/json", "Application/JSON; charset=utf-8", "application/vnd.shop+json"} {
		m := commandMessage(t)
		m.Header.Set("ce-datacontenttype", events.PercentEncode(contentType))
		if _, err := events.DecodeCommand(m); err != nil {
			t.Errorf("%s: %v", contentType, err)
		}
	}
	m := commandMessage(t)
	delete(m.Header, "ce-datacontenttype")
	if _, err := events.DecodeCommand(m); err != nil {
		t.Error(err)
	}
}

func TestStructuredMode(t *testing.T) {
	data := string(commandMessage(t).Data)
	envelope := func(attributes string) string {
		return `{"specversion":"1.0","id":"1","source":"/shop","type":"deposit.requested"` + attributes + `}`
	}
	for _, contentType := range []string{"application/cloudevents+json", "application/cloudevents+json; charset=utf-8", "Application/CloudEvents"} {
		for _, name := range []string{"Content-Type", "content-type", "CONTENT-TYPE"} {
			m := events.Message{
				Subject: commandMessage(t).Subject, Header: events.Header{name: {contentType}},
				Data: []byte(envelope(`,"time":"2026-11-22T00:00:00Z","shopnumber":5,"datacontenttype":"application/json","data":` + data)),
			}
			if got, err := events.DecodeCommand(m); err != nil || got.Fingerprint() != fullCommand(payment.Deposit).Fingerprint() {
				t.Errorf("%s: %s: got %+v, %v", name, contentType, got, err)
			}
		}
	}
	for body, says := range map[string]string{
		envelope(""):                      "the CloudEvent has no JSON data",
		envelope(`,"data_base64":"e30="`): "the CloudEvent has no JSON data",
		envelope(`,"datacontenttype":"text/xml","data":"<x/>"`): "the CloudEvent has no JSON data",
		envelope(`,"data":` + data + `,"data":` + data):         "an attribute of the CloudEvent occurs twice",
		envelope(`,"data":` + data + `,"Type":"x"`):             "an attribute of the CloudEvent occurs twice",
		envelope(`,"data":"text"`):                              "the body is not a JSON object",
		envelope(`,"data":null`):                                "the body is not a JSON object",
		envelope(`,"data":`+data) + "}":                         "the CloudEvent: there is more than one JSON document",
		`[]`:                                                    "the CloudEvent: the body is not a JSON object",
		`{`:                                                     "the CloudEvent: the body is not well-formed JSON",
		`{"a":1 "b":2}`:                                         "the CloudEvent: the body is not well-formed JSON",
		strings.Replace(envelope(`,"data":`+data), `"1.0"`, `1.0`, 1):           `header ce-specversion must be "1.0"`,
		strings.Replace(envelope(`,"data":`+data), "deposit.requested", "x", 1): `ce-type must be "deposit.requested"`,
		strings.Replace(envelope(`,"data":`+data), `"id":"1"`, `"id":""`, 1):    "header ce-id is required",
	} {
		m := events.Message{Subject: commandMessage(t).Subject, Header: events.Header{"Content-Type": {"application/cloudevents+json"}}, Data: []byte(body)}
		refuse(t, m, events.DeadUndecodable, "", says, ref)
	}
	m := events.Message{
		Subject: commandMessage(t).Subject, Header: events.Header{"Content-Type": {"application/cloudevents+json"}},
		Data: []byte(envelope(`,"data":` + strings.Replace(data, `"name":`, `"id":"2","name":`, 1))),
	}
	refuse(t, m, events.DeadInvalid, "customer.id", "occurs twice", ref)
}

func TestPlainJSON(t *testing.T) {
	for _, h := range []events.Header{nil, {}, {"Content-Type": {"application/json"}}, {"Traceparent": {"00-x"}}} {
		for _, subject := range []string{commandMessage(t).Subject, "deposit.requested"} {
			m := events.Message{Subject: subject, Header: h, Data: commandMessage(t).Data}
			if got, err := events.DecodeCommand(m); err != nil || got.Ref != ref || got.Operation != payment.Deposit {
				t.Errorf("%v %s: got %+v, %v", h, subject, got, err)
			}
		}
	}
}

// The NATS binding of the official Go SDK (cloudevents/sdk-go, protocol/nats_jetstream/v3, seen at commit
// eb93b65) is not used, because it is not the binding of the specification:
//
//   - its write_message.go writes values with fmt.Sprint and its message.go reads them as they are:
//     nothing is percent-encoded or decoded, so "Euro €" leaves as bytes that no header may have, and
//     "%20" stays "%20";
//   - it looks for "ce-" with strings.HasPrefix, so "Ce-Id" of another client is no attribute;
//   - it takes every message without ce-specversion for structured mode, so plain JSON is refused;
//   - it brings its own consumer and acknowledgement, which here belong to the log's adapter.
//
// What payonce writes of its own reads the same in both, because nothing in it needs encoding. What the
// SDK writes is read here as long as it has no "%".
func TestOfficialSDK(t *testing.T) {
	for name, m := range goldenMessages(t) {
		for key, values := range m.Header {
			if !strings.HasPrefix(key, "ce-") {
				continue
			}
			if decoded, err := events.PercentDecode(values[0]); name != "webhook" && (err != nil || decoded != values[0]) {
				t.Errorf("%s: the SDK would read %s as %q, payonce as %q", name, key, values[0], decoded)
			}
		}
	}
	fromSDK := commandMessage(t)
	fromSDK.Header.Set("ce-source", "/shop/Seoul Süd")
	if _, err := events.DecodeCommand(fromSDK); err != nil {
		t.Error(err)
	}
	fromSDK.Header.Set("ce-source", "/shop/100%")
	refuse(t, fromSDK, events.DeadUndecodable, "", "header ce-source: an incomplete percent encoding", ref)
}

func TestHeader(t *testing.T) {
	h := events.Header{"Ce-Id": {"1"}, "EMPTY": {}}
	if h.Get("ce-id") != "1" || h.Get("Ce-Id") != "1" || h.Get("empty") != "" || h.Get("EMPTY") != "" || h.Get("other") != "" {
		t.Error("Get does not find what stands there")
	}
	if h.Set("CE-ID", "2"); len(h) != 2 || h.Get("ce-id") != "2" {
		t.Errorf("got %v", h)
	}
}
