package ecommpay

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"payonce/pkg/boundedjson"
	"payonce/pkg/connectors/check"
	"payonce/pkg/payment"
)

// Bounds of what is passed on to the customer.
const (
	maxQRCode = 4096 // bytes; a QR code holds less
	maxSchema = 16 << 10
)

// actionOf says what the customer must do, nil when a document asks for nothing that can be shown. at is
// when the provider wrote the document.
func (c *Connector) actionOf(doc node, at time.Time) *payment.Action {
	switch plain(doc.value("payment", "status")) {
	case "awaiting clarification", "awaiting clarify data":
		if clarification := clarificationOf(doc.at("clarification_fields")); clarification != nil {
			return &payment.Action{Type: payment.ActionClarification, Clarification: clarification}
		}
		return nil
	}
	for _, name := range []string{"redirect_data", "redirectData", "return_url"} {
		if redirect := c.redirectOf(doc.at(name)); redirect != nil {
			return &payment.Action{Type: payment.ActionRedirect, Redirect: redirect}
		}
	}
	if transfer := transferOf(doc, at); transfer != nil {
		return &payment.Action{Type: payment.ActionTransfer, Transfer: transfer}
	}
	return nil
}

// redirectOf reads {"method","url","body","encrypted"} (Korean banks page). What is in "encrypted" is not
// documented, so that a redirect that needs it is none.
func (c *Connector) redirectOf(data node) *payment.Redirect {
	page := data.value("url")
	if page == "" || len(page) > payment.MaxURL || !c.safePage(page) || !vacant(data.at("encrypted")) {
		return nil
	}
	fields, ok := formFields(data.at("body"))
	if !ok {
		return nil
	}
	switch strings.ToUpper(data.value("method")) {
	case http.MethodPost:
		return &payment.Redirect{Method: http.MethodPost, URL: page, Fields: fields}
	case http.MethodGet:
		return &payment.Redirect{Method: http.MethodGet, URL: withQuery(page, fields)}
	}
	return nil
}

// safePage takes https pages, and http ones on a loopback host when the gate is a sandbox there.
func (c *Connector) safePage(page string) bool {
	u, err := url.Parse(page)
	if err != nil || u.Host == "" || u.User != nil {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && check.Loopback(u.Hostname()) && strings.HasPrefix(c.gate, "http://")
}

// formFields reads a form; an empty list is PHP's empty form. ok is false for what a form cannot hold.
func formFields(body node) (fields map[string]string, ok bool) {
	if vacant(body) {
		return nil, true
	}
	if body.Kind() != boundedjson.Object {
		return nil, false
	}
	fields = map[string]string{}
	for field := range body.Inner() {
		if kind := field.Kind(); kind != boundedjson.Text && kind != boundedjson.Number && kind != boundedjson.Null {
			return nil, false
		}
		fields[field.Name()] = field.Text()
	}
	return fields, true
}

// withQuery adds the fields of a GET form to the page's own query.
func withQuery(page string, fields map[string]string) string {
	if len(fields) == 0 {
		return page
	}
	u, _ := url.Parse(page) // parsed before
	query := u.Query()
	for name, value := range fields {
		query.Set(name, value)
	}
	u.RawQuery = query.Encode()
	return u.String()
}

// vacant reports whether there is nothing: no value, null, or an empty text, list or object.
func vacant(n node) bool {
	switch n.Kind() {
	case boundedjson.Text:
		return n.Text() == ""
	case boundedjson.List, boundedjson.Object:
		return n.Empty()
	}
	return n.missing()
}

// transferOf reads provider_extra_fields (Korean banks page): where to transfer to and within how many seconds.
// The time runs from when the provider wrote it, so that a repeated callback does not prolong it.
func transferOf(doc node, at time.Time) *payment.TransferInstructions {
	extra := doc.at("provider_extra_fields")
	t := &payment.TransferInstructions{
		AccountNumber: extra.value("merchant_bank_account"),
		AccountHolder: extra.value("merchant_bank_account_name"),
		BankName:      extra.value("merchant_bank"),
		QRCode:        qrCode(doc),
		Messages:      transferMessages(),
	}
	if t.AccountNumber == "" && t.QRCode == "" || max(len(t.AccountNumber), len(t.AccountHolder), len(t.BankName)) > payment.MaxText || len(t.QRCode) > maxQRCode {
		return nil
	}
	if seconds := extra.seconds("timeout"); seconds > 0 && !at.IsZero() {
		t.ExpiresAt = at.Add(time.Duration(seconds) * time.Second)
	}
	return t
}

// qrCode returns the content of a QR code to show (en_Gate_payment_status_request, display_data).
func qrCode(doc node) string {
	list := doc.at("display_data")
	if list.Kind() != boundedjson.List {
		return ""
	}
	for item := range list.Inner() {
		if item.Get("type").Text() == "qr_data" {
			return item.Get("data").Text()
		}
	}
	return ""
}

// clarificationOf reads what the provider wants to know (en_Gate_Clarification): lists of field names by
// group, or a JSON schema by group.
func clarificationOf(wanted node) *payment.Clarification {
	if wanted.Kind() != boundedjson.Object || wanted.Empty() {
		return nil
	}
	if describes(wanted) {
		if schema := appendJSON(nil, wanted.Value); len(schema) <= maxSchema {
			return &payment.Clarification{Schema: string(schema), Messages: messagesFor(wanted)}
		}
	}
	fields := map[string][]string{}
	for group := range wanted.Inner() {
		if group.Kind() != boundedjson.List || group.Empty() {
			return nil
		}
		names := make([]string, 0, group.Count())
		for name := range group.Inner() {
			if name.Kind() != boundedjson.Text || name.Text() == "" {
				return nil
			}
			names = append(names, name.Text())
		}
		fields[group.Name()] = names
	}
	return &payment.Clarification{Fields: fields, Messages: messagesFor(wanted)}
}

// messagesFor returns what the customer must be told beside a clarification, nil when it asks for no name.
func messagesFor(wanted node) map[string]string {
	if asksForName(wanted.Value) {
		return namesMessages()
	}
	return nil
}

// asksForName reports whether a clarification, in lists or as a schema, names the first or the last name.
func asksForName(wanted boundedjson.Value) bool {
	is := func(name string) bool { return name == "first_name" || name == "last_name" }
	if wanted.Kind() == boundedjson.Text && is(wanted.Text()) {
		return true
	}
	for inner := range wanted.Inner() {
		if is(inner.Name()) || asksForName(inner) {
			return true
		}
	}
	return false
}

// describes reports whether any group is described by a schema instead of a list of names.
func describes(wanted node) bool {
	for group := range wanted.Inner() {
		if group.Kind() == boundedjson.Object {
			return true
		}
	}
	return false
}
