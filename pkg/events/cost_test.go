package events_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/test/alloctest"
	"payonce/test/race"
)

// costly are bodies of about so many bytes that cost a naive reader much more than their size.
func costly(size int) map[string]string {
	distinct, capitals, groups := &strings.Builder{}, &strings.Builder{}, &strings.Builder{}
	for n := 0; distinct.Len() < size; n++ {
		fmt.Fprintf(distinct, `"%x":"",`, n)
		fmt.Fprintf(capitals, `"ſA%X":"",`, n)
		fmt.Fprintf(groups, `"%x":{},`, n)
	}
	first := func(n int, b *strings.Builder) string {
		fields := strings.SplitAfter(b.String(), ",")
		return strings.TrimSuffix(strings.Join(fields[:min(n, len(fields))], ""), ",")
	}
	whole := map[string]string{
		"names": "{" + first(4000, distinct) + "}", "200 names": "{" + first(200, distinct) + "}", "one name": "{" + strings.Repeat(`"a":1,`, size/6) + `"a":1}`, "depth": strings.Repeat(`{"a":`, size/5), "brackets": strings.Repeat("[", size),
		"a long name": `{"` + strings.Repeat("n", size) + `":1}`, "a literal": `{"a":` + strings.Repeat("x", size) + "}", "a number": `{"a":` + strings.Repeat("1", size) + "}", "blanks": "{" + strings.Repeat(" ", size) + "}", "documents": strings.Repeat("{}", size/2),
		"metadata": strings.TrimSuffix(body(""), "}") + `,"metadata":{` + first(4000, distinct) + "}}", "200 of metadata": strings.TrimSuffix(body(""), "}") + `,"metadata":{` + first(200, distinct) + "}}", "metadata in capitals": strings.TrimSuffix(body(""), "}") + `,"metadata":{` + first(200, capitals) + "}}",
		"metadata doubled": strings.TrimSuffix(body(""), "}") + `,"metadata":{` + strings.Repeat(`"a":1,`, size/6) + `"a":1}}`, "a text": strings.TrimSuffix(body(""), "}") + `,"description":"` + strings.Repeat("x", size) + `"}`, "escapes": strings.TrimSuffix(body(""), "}") + `,"description":"` + strings.Repeat(`\u1112`, size/6) + `"}`,
		"jamo": strings.TrimSuffix(body(""), "}") + `,"description":"` + strings.Repeat("\u1112\u1169\u11bc", size/9) + `"}`, "signs": strings.TrimSuffix(body(""), "}") + `,"description":"` + strings.Repeat("\U0001d160", size/4) + `"}`, "a time": strings.TrimSuffix(body(""), "}") + `,"requested_at":"` + strings.Repeat("1", size) + `"}`,
		"groups": `{"fields":{` + first(4000, groups) + "}}", "1000 groups": `{"fields":{` + first(1000, groups) + "}}", "fields": `{"fields":{"a":{` + first(1000, distinct) + "}}}", "folded": `{"fields":{"a":{` + first(1000, capitals) + "}}}", "lists": `{"fields":[` + strings.Repeat("[],", 1000) + "[]]}", "nothing": "",
	}
	all := map[string]string{}
	for what, text := range whole {
		all[what] = text
		all[what+" in an event"] = `{"specversion":"1.0","id":"1","source":"a","type":"deposit.requested","data":` + text + "}"
	}
	all["attributes"] = `{"specversion":"1.0",` + first(4000, distinct) + "}"
	return all
}

// A client that may publish a command must not get more work out of it than its size is worth.
func TestABodyCostsNoMoreThanItsSize(t *testing.T) {
	for what, text := range costly(race.Share(60<<10, 16)) {
		t.Run(what, func(t *testing.T) {
			decodes(t, "deposit.requested", events.Header{}, []byte(text))
			decodes(t, "clarification.requested.ecommpay-kr.D-1", events.Header{"Content-Type": {"application/cloudevents+json"}}, []byte(text))
		})
	}
	for what, value := range map[string]string{
		"a media type": strings.Repeat("a/b;", 15_000), "parameters": "application/json" + strings.Repeat(";a=b", 15_000), "percents": strings.Repeat("%20", 20_000), "quotes": `"` + strings.Repeat(`\"`, 30_000) + `"`, "too much": strings.Repeat("x", 1<<20),
	} {
		for _, name := range []string{"Content-Type", "ce-datacontenttype", "ce-id", "Payonce-Http-Nonce"} {
			t.Run(what, func(t *testing.T) { decodes(t, "deposit.requested.teemopay-kr.D-1", events.Header{name: {value}}, nil) })
		}
	}
	many := events.Header{"Payonce-Http-A": make([]string, 100_000)}
	t.Run("headers", func(t *testing.T) { decodes(t, "webhook.received.teemopay-kr.D-1", many, make([]byte, 100_000)) })
}

// decodes holds every decoder to what a message may cost.
func decodes(t *testing.T, subject string, header events.Header, data []byte) {
	t.Helper()
	size := len(data)
	for key, values := range header {
		size += len(key)
		for _, value := range values {
			size += len(value)
		}
	}
	m := events.Message{Subject: subject, Header: header, Data: data, StoredAt: begin}
	alloctest.Linear(t, size, func() { _, _ = events.DecodeCommand(m) })
	alloctest.Linear(t, size, func() { _, _ = events.DecodeClarification(m) })
	alloctest.Linear(t, size, func() { _, _ = events.DecodeWebhook(m) })
	alloctest.Linear(t, len(data), func() { _, _ = events.ParseCommand(payment.Deposit, data) })
	alloctest.Linear(t, len(data), func() { _, _ = events.ParseClarification(data) })
}

// written are records of ours in which so many bytes are hostile.
func written(size int) map[string]string {
	distinct := &strings.Builder{}
	for n := 0; distinct.Len() < size; n++ {
		fmt.Fprintf(distinct, `"%x":"",`, n)
	}
	names := "{" + strings.TrimSuffix(distinct.String(), ",") + "}"
	all := map[string]string{
		"depth": `"x":` + strings.Repeat("[", min(size/2, 9000)) + strings.Repeat("]", min(size/2, 9000)), "brackets": `"x":` + strings.Repeat("[", size), "unknown names": names[1 : len(names)-1], "one name": strings.Repeat(`"x":1,`, size/6) + `"x":1`,
		"names in capitals": strings.Repeat(`"ORDER":"D-1",`, size/14) + `"x":1`, "a list again and again": strings.Repeat(`"transfers":[],`, size/14) + `"x":1`, "a long name": `"` + strings.Repeat("n", size) + `":1`,
		"NUL": `"reference":"` + strings.Repeat(`\u0000`, size/6) + `"`, "half surrogates": `"reference":"` + strings.Repeat(`\ud800`, size/6) + `"`, "no UTF-8": `"reference":"` + strings.Repeat("\xff", size) + `"`, "a number": `"revision":` + strings.Repeat("9", size), "an exponent": `"revision":1e` + strings.Repeat("9", size),
		"an amount": `"amount":{"value":"` + strings.Repeat("9", size) + `","currency":"KRW"}`, "a time": `"at":"` + strings.Repeat("1", size) + `","updated_at":"` + strings.Repeat("1", size) + `"`, "amounts": `"amount":{` + strings.Repeat(`"value":"1",`, size/12) + `"currency":"KRW"}`,
		"no UTF-8 in a list": `"transfers":[` + strings.Repeat(`{},`, size/3) + "\"\xff\"]", "metadata": `"metadata":` + names, "filter": `"filter":` + names, "blanks": strings.Repeat(" ", size) + `"x":1`,
	}
	for _, list := range []string{"transfers", "TRANSFERS", "annotations", "items", "evidence", "x"} {
		for _, item := range []string{"{}", "1", "[]", "null", `""`, `{"event":1}`, `{"amount":{"value":"1","currency":"KRW"}}`} {
			all[list+" of "+item] = `"` + list + `":[` + strings.Repeat(item+",", size/(len(item)+1)) + item + "]"
			all[list+" in something of "+item] = `"action":{"clarification":{"fields":{"` + list + `":[` + strings.Repeat(item+",", size/(len(item)+1)) + item + `]}}}`
		}
	}
	return all
}

// A client that may write to a stream must not get more work out of a reader than the record's size is worth.
func TestARecordCostsNoMoreThanItsSize(t *testing.T) {
	out, err := events.EncodePayment(exampleEvents()["payment.settled"], exampleID)
	if err != nil {
		t.Fatal(err)
	}
	event := strings.TrimSuffix(string(out.Data), "}") + ","
	for _, size := range race.Sample([]int{2 << 10, 8 << 10, 64 << 10}, 3) {
		for what, fields := range written(size) {
			t.Run(fmt.Sprintf("%s, %d", what, size), func(t *testing.T) {
				readsRecords(t, []byte(event+fields+"}"))
				readsRecords(t, []byte(`{"id":"a",`+fields+"}"))
				readsRecords(t, []byte(`{"payment":`+event+fields+"}}"))
			})
		}
	}
}

// readsRecords holds the readers of what services write to what it may cost.
func readsRecords(t *testing.T, data []byte) {
	t.Helper()
	var q events.Queued
	alloctest.Linear(t, len(data), func() { _, _ = events.DecodePayment(data) })
	alloctest.Linear(t, len(data), func() { _, _ = events.DecodeAudit(data) })
	alloctest.Linear(t, len(data), func() { _ = events.Unmarshal(data, &q) })
}

// The largest lists that say anything are read.
func TestListsOfARecord(t *testing.T) {
	r := events.AuditRecord{ID: "a", Stage: events.Finished, Action: events.ActionDrop, Provider: "teemopay-kr", By: "kim", Reason: "w", At: begin}
	for n := range 5000 {
		r.Items = append(r.Items, events.AuditItem{Event: uint64(n%9 + 1)})
	}
	out, err := events.EncodeAudit(r, "1")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := events.DecodeAudit(out.Data); err != nil || len(got.Items) != len(r.Items) {
		t.Errorf("%d items, %v", len(got.Items), err)
	}
	p := exampleEvents()["payment.settled"]
	for range 2000 {
		p.Transfers = append(p.Transfers, payment.Transfer{Amount: payment.KRW(1)})
		p.Annotations = append(p.Annotations, payment.Annotation{})
	}
	event, err := events.EncodePayment(p, "1")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := events.DecodePayment(event.Data); err != nil || len(got.Transfers) != len(p.Transfers) || len(got.Annotations) != len(p.Annotations) {
		t.Errorf("%d transfers, %d annotations, %v", len(got.Transfers), len(got.Annotations), err)
	}
	for _, text := range []string{`"transfers":[` + strings.Repeat("{},", 5000) + "{}]", `"evidence":[` + strings.Repeat(`"",`, 5000) + `""]`} {
		if _, err := events.DecodePayment([]byte(strings.TrimSuffix(string(event.Data), "}") + "," + text + "}")); err == nil || !strings.Contains(err.Error(), "items in") {
			t.Errorf("%.30s: %v", text, err)
		}
	}
}

// A limit is named, and nothing of the body.
func TestLimitsOfABody(t *testing.T) {
	for limit, text := range map[string]string{
		"too many values": `{"secret":[` + strings.Repeat("1,", 1200) + "1]}", "a name in the body is too long": `{"` + strings.Repeat("secret", 50) + `":1}`, "nested too deeply": `{"secret":` + strings.Repeat("[", 16) + strings.Repeat("]", 16) + "}",
	} {
		_, command := events.ParseCommand(payment.Deposit, []byte(text))
		_, clarification := events.ParseClarification([]byte(text))
		_, event := events.DecodeCommand(events.Message{Subject: "deposit.requested", Header: events.Header{"Content-Type": {"application/cloudevents+json"}}, Data: []byte(text)})
		for _, err := range []error{command, clarification, event} {
			var refused *events.CommandError
			if errors.As(err, &refused); refused == nil || refused.Reason != events.DeadUndecodable || strings.Contains(err.Error(), "secret") || err != event && !strings.Contains(err.Error(), limit) {
				t.Errorf("%s: %v", limit, err)
			}
		}
	}
	most := map[string]map[string]string{}
	for g := range payment.MaxClarifiedGroups {
		fields := map[string]string{}
		for f := range payment.MaxClarifiedFields {
			fields[fmt.Sprint(f)] = "x"
		}
		most[fmt.Sprint(g)] = fields
	}
	out, err := events.EncodeClarification(events.Clarification{Ref: ref, Fields: most, Revision: 1, RequestedAt: begin}, "1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := events.DecodeClarification(events.Message{Subject: out.Subject, Header: out.Header, Data: out.Data}); err != nil {
		t.Errorf("the largest clarification: %v", err)
	}
}

// A name of the payment that occurs twice is found behind another that does: then the payment is not known.
func TestDoubledNameBehindAnother(t *testing.T) {
	_, err := events.ParseCommand(payment.Deposit, []byte(`{"provider":"a","order":"b","method":"x","method":"y","ORDER":"c"}`))
	var refused *events.CommandError
	if errors.As(err, &refused); refused == nil || refused.Field != "method" || refused.Ref != (payment.Ref{}) {
		t.Errorf("got %+v", refused)
	}
	_, err = events.ParseCommand(payment.Deposit, []byte(`{"provider":"a","order":"b","method":"x","method":"y"}`))
	if errors.As(err, &refused); refused == nil || refused.Ref.Order != "b" {
		t.Errorf("got %+v", refused)
	}
	if _, err := events.ParseClarification([]byte(`{"fields":{"metadata":{"a":"1","A":"2"}}}`)); err == nil {
		t.Error("names of a group that differ in case only are taken")
	}
	event := `{"specversion":"1.0","id":"1","source":"a","type":"deposit.requested","x":{"a":1,"a":2},"id":"2","data":{}}`
	_, err = events.DecodeCommand(events.Message{Subject: "deposit.requested", Header: events.Header{"Content-Type": {"application/cloudevents+json"}}, Data: []byte(event)})
	if err == nil || !strings.Contains(err.Error(), "an attribute of the CloudEvent occurs twice") {
		t.Errorf("got %v", err)
	}
}

func BenchmarkDecode(b *testing.B) {
	for what, text := range costly(60 << 10) {
		b.Run(what, func(b *testing.B) {
			alloctest.Time(b, len(text), func() {
				_, _ = events.DecodeCommand(events.Message{Subject: "deposit.requested", Header: events.Header{}, Data: []byte(text)})
			})
		})
	}
}

func BenchmarkDecodeClarification(b *testing.B) {
	for what, text := range costly(60 << 10) {
		b.Run(what, func(b *testing.B) {
			alloctest.Time(b, len(text), func() { _, _ = events.ParseClarification([]byte(text)) })
		})
	}
}

func BenchmarkDecodeRecord(b *testing.B) {
	for what, fields := range written(64 << 10) {
		payment, audit := []byte(`{"provider":"ecommpay-kr",`+fields+"}"), []byte(`{"id":"a",`+fields+"}")
		b.Run(what, func(b *testing.B) {
			alloctest.Time(b, len(payment)+len(audit), func() {
				_, _ = events.DecodePayment(payment)
				_, _ = events.DecodeAudit(audit)
			})
		})
	}
}
