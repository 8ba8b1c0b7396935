package ecommpay_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/ecommpay"
	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/payment"
	"payonce/pkg/secret"
	"payonce/test/alloctest"
)

// FuzzSigning signs anything: what verifies has one meaning, in every order, and nothing panics.
func FuzzSigning(f *testing.F) {
	for _, v := range vectors(f).Vectors {
		f.Add([]byte(v.Data))
	}
	for _, text := range []string{`{"a":"1;b:2","c":[[],{}],"a:b":null}`, `{"l":[0,1,2,3,4,5,6,7,8,9,10]}`, `{"a2":1,"a10":2,"a":{"b":1e5}}`, `[]`, `{"\ud800":"\ufffd"}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		alloctest.Linear(t, len(body), func() { _, _ = ecommpay.Sign(current, body) })
		alloctest.Linear(t, len(body), func() { _ = ecommpay.Verify([]secret.Value{current, foreign}, body, "") })
		signature, err := ecommpay.Sign(current, body)
		if err != nil {
			return
		}
		if !json.Valid(body) {
			t.Errorf("signed what is no JSON: %q", body)
		}
		text, err := ecommpay.SigningString(body, ecommpay.NaturalByPath)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range ecommpay.Sortings() {
			if other, err := ecommpay.SigningString(body, o); err != nil || len(other) != len(text) {
				t.Errorf("order %d: %q, %v", o, other, err)
			}
		}
		if ecommpay.Verify([]secret.Value{foreign}, body, signature) == nil {
			t.Errorf("verified by another secret: %q", body)
		}
		if ecommpay.Verify([]secret.Value{previous, current}, body, signature) != nil {
			return // it could mean something else
		}
		further := append([]byte(`{"zz":"1",`), bytes.TrimSpace(body)[1:]...)
		if ecommpay.Verify([]secret.Value{current}, further, signature) == nil && json.Valid(further) {
			t.Errorf("a further field verified: %q", further)
		}
	})
}

// FuzzWebhook reads anything as a callback, signed or not.
func FuzzWebhook(f *testing.F) {
	for _, body := range []string{callback("purchase", "success", "sale", "success", "0"), callback("payout", "decline", "payout", "decline", "20000"), callback("purchase", "awaiting redirect result", "sale", "processing", "9999", redirectData),
		callback("purchase", "awaiting customer", "sale", "processing", "9999", extraFields), callback("purchase", "awaiting clarification", "sale", "x", "3191", `"clarification_fields":{"customer":["last_name"],"a":{"b":[1,true,null]}}`)} {
		f.Add([]byte(body))
	}
	c := connect(f, settings("https://api.example.com"))
	f.Fuzz(func(t *testing.T, body []byte) {
		alloctest.Linear(t, len(body), func() { _, _ = c.Webhook(nil, body, now) })
		if n, err := c.Webhook(nil, body, now); err == nil {
			t.Errorf("an unsigned callback was taken: %+v", n)
		}
		signature, err := ecommpay.Sign(current, body)
		if err != nil {
			return
		}
		signed := append([]byte(`{"signature":"`+signature+`",`), bytes.TrimSpace(body)[1:]...)
		alloctest.Linear(t, len(signed), func() { _, _ = c.Webhook(nil, signed, now) })
		n, err := c.Webhook(nil, signed, now)
		if err != nil {
			return
		}
		o := n.Observation
		if !payment.ValidOrder(n.Order) || o.Source != payment.FromWebhook {
			t.Errorf("got %+v", n)
		}
		if o.Kind == payment.Paid && (!bytes.Contains(body, []byte("success")) && !bytes.Contains(body, []byte(`\`)) || o.Amount.Minor <= 0) {
			t.Errorf("paid by %q: %+v", body, o)
		}
		if (o.Action != nil) && o.Kind != payment.Accepted {
			t.Errorf("an action of %q: %+v", body, o)
		}
		if _, err := json.Marshal(o); err != nil {
			t.Errorf("%q cannot be written: %v", body, err)
		}
	})
}

// FuzzAnswers reads anything as an answer. Only an answer that names our order can be more than a doubt or
// a documented refusal, and nothing unsigned is believed but "not found".
func FuzzAnswers(f *testing.F) {
	for _, body := range []string{taken, gateError("3041", "x"), gateError("3028", ""), gateError("3061", ""), `{"payment":{"status":"error"},"errors":[{"code":"3061"}]}`,
		statusAnswer(`"status":"success"`), statusAnswer(`"status":"decline"`, sumRequest, operations(operation("1", "sale", "decline", "603"))), `<html>`, ``, `[]`, `[{"id":771,"name":"Kookmin Bank","nativeName":"x"}]`} {
		for _, status := range []int{200, 400, 503} {
			f.Add(status, []byte(body))
		}
	}
	c := connect(f, settings("https://api.example.com"))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		named := bytes.Contains(body, []byte(order)) || bytes.Contains(body, []byte(`\`)) // it may be escaped
		answer := httpcall.Reply{Status: status, Body: body}
		alloctest.Linear(t, len(body), func() { _ = c.Accepted(payout(), answer) })
		alloctest.Linear(t, len(body), func() { _, _ = c.Answered(query(payment.Deposit), answer) })
		alloctest.Linear(t, len(body), func() { _, _ = ecommpay.ReadBanks(body) })
		switch e := c.Accepted(payout(), answer); {
		case e == nil && (!named || status != 200):
			t.Errorf("taken by %d %q", status, body)
		case e != nil && e.Class != connectors.InDoubt && (status < 400 || status > 499):
			t.Errorf("%v by %d %q", e, status, body)
		}
		if banks, err := ecommpay.ReadBanks(body); err == nil && (len(banks) == 0 || banks[0].Code == "") {
			t.Errorf("no banks in %q: %+v", body, banks)
		}
		if o, err := c.Answered(query(payment.Deposit), answer); err == nil && o.Kind != payment.Unknown {
			t.Errorf("learned without a signature from %d %q: %+v", status, body, o)
		}
		signature, err := ecommpay.Sign(current, body)
		if err != nil {
			return
		}
		answer.Body = append([]byte(`{"signature":"`+signature+`",`), bytes.TrimSpace(body)[1:]...)
		o, refusal := c.Answered(query(payment.Deposit), answer)
		if refusal == nil && o.Kind != payment.Unknown && (!named || status != 200) {
			t.Errorf("learned from %d %q: %+v", status, body, o)
		}
		if o.Kind == payment.Paid && o.Amount.Minor <= 0 && o.SettledAmount.Minor <= 0 {
			t.Errorf("paid nothing by %q: %+v", body, o)
		}
	})
}
