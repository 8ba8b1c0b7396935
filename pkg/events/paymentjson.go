package events

import (
	"encoding/json"
	"strconv"
	"time"

	"payonce/pkg/payment"
)

// appendData appends the JSON of a payment, byte for byte as encoding/json writes it: a worker writes some events for each
// payment, and encoding/json takes more than four times as long, most of it for amounts and times. What few events have is left to
// encoding/json. A test compares the two with each field alone and with all, so a new field can't be forgotten here.
func appendData(b []byte, d PaymentData) ([]byte, error) {
	o := object{b: append(b, '{')}
	o.text("provider", d.Provider)
	o.text("order", d.Order)
	o.text("operation", string(d.Operation))
	o.text("status", string(d.Status))
	o.number("revision", d.Revision)
	o.reason("reason", d.Reason)
	o.money("amount", d.Amount)
	o.money("settled_amount", d.SettledAmount)
	o.other("transfers", d.Transfers, len(d.Transfers) > 0)
	o.other("fee", d.Fee, !d.Fee.IsZero())
	o.time("provider_completed_at", d.ProviderCompletedAt)
	o.other("evidence", d.Evidence, len(d.Evidence) > 0)
	o.filled("provider_reference", d.ProviderReference)
	o.number("attempts", d.Attempts)
	o.time("resume_at", d.ResumeAt)
	o.other("action", d.Action, d.Action != nil)
	o.other("withheld_action", d.WithheldAction, d.WithheldAction != nil)
	o.time("page_closes_at", d.PageClosesAt)
	o.time("submitted_at", d.SubmittedAt)
	o.time("first_submitted_at", d.FirstSubmittedAt)
	o.counted("submits", d.Submits)
	o.flag("retry_approved", d.RetryApproved)
	o.flag("refused", d.Refused)
	o.other("annotations", d.Annotations, len(d.Annotations) > 0)
	o.flag("known", d.Known)
	o.counted("not_found", d.NotFound)
	o.time("not_found_at", d.NotFoundAt)
	o.time("overdue_at", d.OverdueAt)
	o.filled("fingerprint", d.Fingerprint)
	o.time("requested_at", d.RequestedAt)
	o.instant("updated_at", d.UpdatedAt)
	o.filled("upstream", d.Upstream)
	o.other("metadata", d.Metadata, len(d.Metadata) > 0)
	o.other("stored_action", d.StoredAction, d.StoredAction != nil)
	o.other("stored_withheld_action", d.StoredWithheldAction, d.StoredWithheldAction != nil)
	return append(o.b, '}'), o.err
}

// object is a JSON object that is being written. Its names need no escapes. Of several errors the first stays.
type object struct {
	b   []byte
	err error
}

func (o *object) name(name string) {
	if o.b[len(o.b)-1] != '{' {
		o.b = append(o.b, ',')
	}
	o.b = append(o.b, '"')
	o.b = append(o.b, name...)
	o.b = append(o.b, '"', ':')
}

func (o *object) text(name, value string) {
	o.name(name)
	if !plain(value) {
		o.marshal(value)
		return
	}
	o.b = append(o.b, '"')
	o.b = append(o.b, value...)
	o.b = append(o.b, '"')
}

// filled leaves an empty text out.
func (o *object) filled(name, value string) {
	if value != "" {
		o.text(name, value)
	}
}

func (o *object) number(name string, n int) {
	o.name(name)
	o.b = strconv.AppendInt(o.b, int64(n), 10)
}

// counted leaves 0 out.
func (o *object) counted(name string, n int) {
	if n != 0 {
		o.number(name, n)
	}
}

// flag leaves false out.
func (o *object) flag(name string, is bool) {
	if is {
		o.name(name)
		o.b = append(o.b, "true"...)
	}
}

// time leaves the zero time out.
func (o *object) time(name string, t time.Time) {
	if !t.IsZero() {
		o.instant(name, t)
	}
}

func (o *object) instant(name string, t time.Time) {
	o.name(name)
	b, err := t.AppendText(append(o.b, '"'))
	if err != nil {
		o.fail(err)
		return
	}
	o.b = append(b, '"')
}

// money leaves the zero Money out.
func (o *object) money(name string, m payment.Money) {
	if m.IsZero() {
		return
	}
	o.name(name)
	b, err := m.AppendJSON(o.b)
	if err != nil {
		o.fail(err)
		return
	}
	o.b = b
}

func (o *object) reason(name string, r *payment.Reason) {
	if r == nil {
		return
	}
	o.name(name)
	o.b = append(o.b, '{')
	o.text("code", r.Code)
	o.filled("provider_code", r.ProviderCode)
	o.filled("message", r.Message)
	o.filled("by", r.By)
	o.b = append(o.b, '}')
}

// other writes a value that is there.
func (o *object) other(name string, value any, there bool) {
	if there {
		o.name(name)
		o.marshal(value)
	}
}

func (o *object) marshal(value any) {
	text, err := json.Marshal(value)
	o.fail(err)
	o.b = append(o.b, text...)
}

func (o *object) fail(err error) {
	if o.err == nil {
		o.err = err
	}
}

// plain reports whether encoding/json writes a text as it is.
func plain(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case c < ' ', c > '~', c == '"', c == '\\', c == '<', c == '>', c == '&':
			return false
		}
	}
	return true
}
