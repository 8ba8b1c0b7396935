package ecommpay

import (
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"payonce/pkg/sandbox"
)

// paymentPage serves the customer who opens the merchant's link: only now the provider hears of the
// payment. Opening it again registers nothing.
func (p *Protocol) paymentPage(account *sandbox.Account, w http.ResponseWriter, r *http.Request) {
	values := r.URL.Query()
	create, no := p.readPage(values, account.Now())
	if no != nil {
		account.Refused(values.Get("payment_id"), sandbox.ActionCreate, no.reason, no.status())
		write(w, pageReply(no.status(), fmt.Sprintf("%s (%s) %s", messages[no.code], no.code, no.field)))
		return
	}
	account.Create(w, r, create, func(result sandbox.Result) sandbox.Reply {
		if result.Verdict == sandbox.Duplicate {
			return pageReply(http.StatusOK, "Payment "+create.Order+" is registered already")
		}
		return pageReply(http.StatusOK, "Payment "+create.Order+" is registered")
	})
}

func pageReply(status int, message string) sandbox.Reply {
	body := "<!doctype html><title>Payment Page</title><p>" + html.EscapeString(message) + "</p>"
	return sandbox.Reply{Status: status, ContentType: "text/html; charset=utf-8", Body: []byte(body)}
}

// readPage checks a link as the Korean banks page says. What it says nothing about the customer, the customer gives on
// the page.
func (p *Protocol) readPage(values url.Values, now time.Time) (sandbox.Create, *refusal) {
	if no := p.authenticatePage(values); no != nil {
		return sandbox.Create{}, no
	}
	for _, name := range []string{"payment_id", "payment_amount", "payment_currency", "customer_id"} {
		if values.Get(name) == "" {
			return sandbox.Create{}, fieldError(codeRequired, name)
		}
	}
	amount, bad := wholeWon(values.Get("payment_amount"))
	no := checkURL("merchant_callback_url", values.Get("merchant_callback_url"))
	switch {
	case !paymentID.MatchString(values.Get("payment_id")):
		return sandbox.Create{}, fieldError(codePaymentID, "payment_id")
	case values.Get("payment_currency") != "KRW":
		return sandbox.Create{}, fieldError(codeCurrency, "payment_currency")
	case bad:
		return sandbox.Create{}, fieldError(codeValidation, "payment_amount")
	case expired(values.Get("best_before"), now):
		return sandbox.Create{}, fieldError(codeValidation, "best_before")
	case no != nil:
		return sandbox.Create{}, no
	}
	create := p.purchase(values.Get("payment_id"), amount, MethodPage)
	create.CallbackURL = values.Get("merchant_callback_url")
	create.Details = map[string]string{detailCustomer: values.Get("customer_id"), detailDescription: values.Get("payment_description")}
	create.Doom, no = p.limit("payment_amount", amount, p.settings.MinDeposit, p.settings.MaxDeposit)
	return create, no
}

// expired reports whether a link came too late. That a date in an unknown form counts as none is an
// assumption.
func expired(text string, now time.Time) bool {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05-0700"} {
		if at, err := time.Parse(layout, text); err == nil {
			return !now.Before(at)
		}
	}
	return false
}

// authenticatePage checks the signature over the values as they are before URL encoding.
func (p *Protocol) authenticatePage(values url.Values) *refusal {
	signed := object{}
	for name := range values {
		signed[name] = values.Get(name)
	}
	switch {
	case values.Get("project_id") != strconv.FormatInt(p.settings.ProjectID, 10):
		return &refusal{code: codeProject, reason: ReasonProject}
	case values.Get("signature") == "":
		return &refusal{code: codeNoSignature, reason: ReasonNoSignature}
	case verify(p.settings.Secret, signed) || verify(p.settings.Secret, withBools(signed)):
		return nil
	default:
		return &refusal{code: codeSignature, reason: ReasonSignature}
	}
}

// withBools reads true and false as booleans: the provider's SDKs write the words into the link and sign
// 1 and 0.
func withBools(values object) object {
	read := maps.Clone(values)
	for name, value := range read {
		if value == "true" || value == "false" {
			read[name] = value == "true"
		}
	}
	return read
}

// SignedLink makes the link that a merchant would give to a customer. base is the address of Payment
// Page; values are as they were before URL encoding.
func SignedLink(secret, base string, values map[string]string) string {
	signed, query := object{}, url.Values{}
	for name, value := range values {
		signed[name] = value
		query.Set(name, value)
	}
	query.Set("signature", sign(secret, signed))
	return strings.TrimSuffix(base, "/") + "/payment?" + query.Encode()
}
