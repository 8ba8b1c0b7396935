package ecommpay

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"payonce/pkg/payment"
	"payonce/pkg/secret"
)

// pageMethod preselects Banks of Korea on the Payment Page (Korean banks page).
const pageMethod = "online-korean-banks"

// parameter is one parameter of the Payment Page, with the field of the command that it comes from.
type parameter struct{ name, value, field string }

// pageCloses is until when the customer of a command can confirm the payment, when the link to the page is made
// now. No page is open for ever, and none for longer than the provider keeps to (en_PP_Parameters).
func (c *Connector) pageCloses(cmd payment.Command, now time.Time) time.Time {
	closes, last := now.Add(c.settings.PageLifetime), now.Add(MaxPageLifetime)
	if !cmd.ExpiresAt.IsZero() {
		closes = cmd.ExpiresAt
	}
	if closes.After(last) {
		closes = last
	}
	return closes.UTC().Truncate(time.Second) // as it is written
}

// pageParameters are those of the Korean banks page, and others of en_PP_Parameters. Empty ones are left out.
func (c *Connector) pageParameters(cmd payment.Command, closes time.Time) []parameter {
	customer, back := cmd.Customer, c.returnURL(cmd)
	parameters := []parameter{
		{"project_id", strconv.FormatInt(c.settings.ProjectID, 10), ""},
		{"payment_id", cmd.Order, "order"},
		{"payment_amount", cmd.Amount.Value(), "amount.value"},
		{"payment_currency", cmd.Amount.Currency, "amount.currency"},
		{"payment_description", cmd.Description, "description"},
		{"customer_id", customer.ID, "customer.id"},
		{"customer_first_name", customer.FirstName, "customer.first_name"},
		{"customer_last_name", customer.LastName, "customer.last_name"},
	}
	if c.method(cmd) == MethodPage {
		parameters = append(parameters, parameter{"customer_email", customer.Email, "customer.email"})
	}
	return append(parameters,
		parameter{"language_code", c.language(cmd), "language"},
		parameter{"force_payment_method", pageMethod, ""},
		parameter{"merchant_callback_url", c.settings.MerchantCallbackURL, ""},
		parameter{"merchant_success_url", back, "return_url"},
		parameter{"merchant_fail_url", back, "return_url"},
		parameter{"best_before", closes.Format(bestBefore), "expires_at"}, // 2020-04-26T13:50:37+00:00
	)
}

const bestBefore = "2006-01-02T15:04:05-07:00"

// pageLink is a link to the page of a command. Making another does no harm: both lead to the same payment, and a
// customer is given only what is in the log.
func (c *Connector) pageLink(cmd payment.Command, closes time.Time) string {
	return signedLink(c.settings.PaymentPageURL, c.pageParameters(cmd, closes), c.settings.Secret)
}

// signedLink signs the values as they are and then encodes them for the URL.
func signedLink(page string, parameters []parameter, key secret.Value) string {
	var signed []string
	var query strings.Builder
	for _, p := range parameters {
		if p.value != "" {
			signed = append(signed, p.name, p.value)
			query.WriteString(p.name + "=" + url.QueryEscape(p.value) + "&")
		}
	}
	all := partsOf(signed...)
	all.sort(NaturalByPath)
	return page + "?" + query.String() + signatureName + "=" + url.QueryEscape(mac(key, all.joined()))
}

func (c *Connector) returnURL(cmd payment.Command) string {
	if cmd.ReturnURL != "" {
		return cmd.ReturnURL
	}
	return c.settings.ReturnURL
}

func (c *Connector) language(cmd payment.Command) string {
	if cmd.Language != "" {
		return cmd.Language
	}
	return c.settings.Language
}

// wireTime is how the provider writes a time, e.g. 2019-10-16T09:41:26+0000 (Korean banks page); the newer SDKs'
// examples have a colon in the offset.
func wireTime(text string) (time.Time, bool) {
	for _, layout := range []string{"2006-01-02T15:04:05-0700", time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil && payment.ValidTime(t) {
			return t, true
		}
	}
	return time.Time{}, false
}
