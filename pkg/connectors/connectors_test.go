package connectors_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

func TestAnErrorThatNobodyClassifiedIsInDoubt(t *testing.T) {
	rejected := &connectors.Error{Class: connectors.Rejected, Code: payment.ReasonDeclined, ProviderCode: "414", Message: "no"}
	for _, test := range []struct {
		err  error
		want connectors.Class
	}{
		{errors.New("anything"), connectors.InDoubt},
		{context.DeadlineExceeded, connectors.InDoubt},
		{&connectors.Error{}, connectors.InDoubt},
		{rejected, connectors.Rejected},
		{fmt.Errorf("submit x: %w", rejected), connectors.Rejected},
		{errors.Join(errors.New("other"), &connectors.Error{Class: connectors.NotSent}), connectors.NotSent},
	} {
		if got := connectors.ClassOf(test.err); got != test.want {
			t.Errorf("%v: %s, want %s", test.err, got, test.want)
		}
	}
	if got := connectors.Classify(errors.New("anything")); got.Code != payment.ReasonNoAnswer || got.Evidence == "" {
		t.Errorf("an unclassified error says %+v", got)
	}
}

func TestClassNamesAreForever(t *testing.T) {
	for class, want := range map[connectors.Class]string{
		connectors.InDoubt: "in_doubt", connectors.Rejected: "rejected", connectors.NotSent: "not_sent",
		connectors.Throttled: "throttled", connectors.Class(99): "in_doubt",
	} {
		if class.String() != want {
			t.Errorf("%d: %q, want %q", class, class, want)
		}
	}
}

func TestErrorSaysWhatHappened(t *testing.T) {
	cause := errors.New("connection reset")
	err := &connectors.Error{Class: connectors.InDoubt, Code: payment.ReasonNoAnswer, ProviderCode: "http_502", Message: "Bad Gateway", Err: cause}
	if got, want := err.Error(), "in_doubt: no_answer (http_502): Bad Gateway: connection reset"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if !errors.Is(err, cause) {
		t.Error("the cause is lost")
	}
	if got := *err.Reason(); got != (payment.Reason{Code: "no_answer", ProviderCode: "http_502", Message: "Bad Gateway"}) {
		t.Errorf("the reason is %+v", got)
	}
	refused := &connectors.WebhookError{Refusal: connectors.BadSignature, Problem: "the signature is missing"}
	if got, want := refused.Error(), "bad_signature: the signature is missing"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// narrow takes little, and says so by its traits.
type narrow struct{ connectors.Connector }

func (narrow) Traits() connectors.Traits {
	return connectors.Traits{
		Kind: "narrow", Operations: []payment.Operation{payment.Deposit}, Currencies: []string{"KRW"}, MaxOrderLength: 8,
		Methods: map[payment.Operation][]string{payment.Deposit: {"va", "card"}}, SettlingDelay: time.Minute,
	}
}

// picky has a rule of its own.
type picky struct{ narrow }

func (picky) Check(cmd payment.Command) error {
	if cmd.Customer.Name == "" {
		return &payment.FieldError{Field: "customer.name", Problem: "is required"}
	}
	return nil
}

func TestCheck(t *testing.T) {
	good := payment.Command{
		Ref: payment.Ref{Provider: "acme-kr", Order: "D-1"}, Operation: payment.Deposit, Amount: payment.KRW(1000), Method: "card",
		Customer: payment.Customer{Name: "Kim"},
	}
	if err := connectors.Check(picky{}, good); err != nil {
		t.Errorf("a good command: %v", err)
	}
	for field, spoil := range map[string]func(*payment.Command){
		"amount.value":    func(c *payment.Command) { c.Amount.Minor = 0 },
		"order":           func(c *payment.Command) { c.Order = strings.Repeat("x", 9) },
		"operation":       func(c *payment.Command) { c.Operation = payment.Payout },
		"amount.currency": func(c *payment.Command) { c.Amount = payment.TWD(1000) },
		"method":          func(c *payment.Command) { c.Method = "cash" },
		"customer.name":   func(c *payment.Command) { c.Customer.Name = "" },
	} {
		cmd := good
		spoil(&cmd)
		var problem *payment.FieldError
		if err := connectors.Check(picky{}, cmd); !errors.As(err, &problem) || problem.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	for text, taken := range map[string]bool{
		"https://shop.example/back?a=1#x": true, "http://shop.example": true, "HTTPS://shop.example:8443/": true, "https://xn--9k3b21f.example/%EA%B0%80": true, "": true,
		"javascript:alert(1)": false, "JavaScript://shop.example/%0aalert(1)": false, "data:text/html,x": false, "file:///etc/passwd": false, "ftp://shop.example": false,
		"shop://back": false, "/back": false, "//shop.example/back": false, "https:/shop.example": false, "https:shop.example": false, "https://": false, "https://:443/": false,
		"https://shop.example@evil.example/": false, "https://a:b@shop.example/": false, "https:\\\\evil.example": false, "https://shop.example\\@evil.example": false, "https://shop .example/": false,
		"intent://x#Intent;end": false, "vbscript:x": false, "blob:https://shop.example/1": false,
	} {
		cmd := good
		cmd.ReturnURL = text
		var problem *payment.FieldError
		if err := connectors.Check(picky{}, cmd); taken != (err == nil) || err != nil && (!errors.As(err, &problem) || problem.Field != "return_url") {
			t.Errorf("%q: %v", text, err)
		}
	}
	withoutRule := good
	withoutRule.Customer.Name = ""
	if err := connectors.Check(narrow{}, withoutRule); err != nil {
		t.Errorf("a connector without rules of its own: %v", err)
	}
}

func TestRegistry(t *testing.T) {
	r := connectors.NewRegistry(map[string]connectors.Connector{"b": narrow{}, "a": picky{}})
	if got := fmt.Sprint(r.Names()); got != "[a b]" {
		t.Errorf("names %s", got)
	}
	if c, ok := r.Get("b"); !ok || c.Traits().Kind != "narrow" {
		t.Error("b is not found")
	}
	if _, ok := r.Get("c"); ok {
		t.Error("c is found")
	}
}

// counting takes names of at most three characters.
type counting struct{ picky }

func (counting) Check(cmd payment.Command) error {
	if utf8.RuneCountInString(cmd.Customer.Name) > 3 {
		return &payment.FieldError{Field: "customer.name", Problem: "must have at most 3 characters"}
	}
	return nil
}

// A connector counts characters as they are sent, in whatever form the command has them.
func TestCheckCountsComposedCharacters(t *testing.T) {
	cmd := payment.Command{
		Ref: payment.Ref{Provider: "p", Order: "1"}, Operation: payment.Deposit, Amount: payment.KRW(1),
		Customer: payment.Customer{Name: "\u1112\u1169\u11bc\u1100\u1175\u11af\u1103\u1169\u11bc"},
	}
	if err := connectors.Check(counting{}, cmd); err != nil {
		t.Error(err)
	}
}
