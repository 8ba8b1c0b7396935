package events

import (
	"fmt"

	"payonce/pkg/payment"
)

// PaymentType is the CloudEvents type of an event of the log, e.g. "payment.settled".
func PaymentType(s payment.Status) string { return "payment." + string(s) }

// EncodePayment returns the event that gives the current state of a payment. id must be unique; it becomes the
// event's CloudEvents id.
func EncodePayment(p payment.Payment, id string) (Outgoing, error) {
	data, err := AppendPayment(make([]byte, 0, usualPayment), p)
	if err != nil {
		return Outgoing{}, err
	}
	attributes := Attributes{
		ID: id, Source: Source, Type: PaymentType(p.Status), Subject: p.Ref.String(), Time: p.UpdatedAt,
		ContentType: contentJSON, Schema: PaymentSchemaID,
	}
	return Outgoing{Subject: PaymentSubject(p.Status, p.Ref), Header: attributes.header(), Data: data}, nil
}

// usualPayment is more bytes than the data of most events has.
const usualPayment = 1 << 10

// AppendPayment appends the data of the event to b. What it returns with an error is not to be used.
func AppendPayment(b []byte, p payment.Payment) ([]byte, error) {
	if err := p.Ref.Validate(); err != nil {
		return nil, fmt.Errorf("encode payment: %w", err)
	}
	if !p.Status.Valid() || p.Status == payment.Requested {
		return nil, fmt.Errorf("encode payment %s: status %q is not written to the log", p.Ref, p.Status)
	}
	if !p.Operation.Valid() {
		return nil, fmt.Errorf("encode payment %s: operation %q", p.Ref, p.Operation)
	}
	p.Action, p.WithheldAction = withoutContent(p.Action), withoutContent(p.WithheldAction)
	data, err := appendData(b, DataOf(p))
	if err != nil {
		return nil, fmt.Errorf("encode payment %s: %w", p.Ref, err)
	}
	return data, nil
}

// PaymentData is a payment as it is in an event, and as people and upstreams are shown it.
type PaymentData struct {
	payment.Payment
	// StoredAction and StoredWithheldAction take the place of Action and WithheldAction where their content is not
	// here: in every event of the log, and in what is shown when the content is not kept any more.
	StoredAction         *StoredAction `json:"stored_action,omitempty"`
	StoredWithheldAction *StoredAction `json:"stored_withheld_action,omitempty"`
}

// StoredAction names an action whose content is kept under [ActionSubject].
type StoredAction struct {
	Type payment.ActionType `json:"type"`
	ID   string             `json:"id"`
}

// DataOf returns a payment in the form that becomes JSON.
func DataOf(p payment.Payment) PaymentData {
	d := PaymentData{Payment: p}
	d.Action, d.StoredAction = nameMissing(p.Action)
	d.WithheldAction, d.StoredWithheldAction = nameMissing(p.WithheldAction)
	return d
}

func nameMissing(a *payment.Action) (*payment.Action, *StoredAction) {
	if !a.Missing() {
		return a, nil
	}
	return nil, &StoredAction{Type: a.Type, ID: a.Stored}
}

// withoutContent leaves of an action that is stored elsewhere what says where.
func withoutContent(a *payment.Action) *payment.Action {
	if a == nil || a.Stored == "" {
		return a
	}
	return &payment.Action{Type: a.Type, Stored: a.Stored}
}

// payment is the opposite of DataOf.
func (d PaymentData) payment() payment.Payment {
	d.Action, d.WithheldAction = d.StoredAction.or(d.Action), d.StoredWithheldAction.or(d.WithheldAction)
	return d.Payment
}

// or returns the action that s names, unless its content is here.
func (s *StoredAction) or(a *payment.Action) *payment.Action {
	if a != nil || s == nil || !ValidActionID(s.ID) {
		return a
	}
	return &payment.Action{Type: s.Type, Stored: s.ID}
}

// DecodePayment reads the data of an event of the log. Fields that this version does not know are
// ignored: a newer version may have written them.
func DecodePayment(data []byte) (payment.Payment, error) {
	var d PaymentData
	if err := Unmarshal(data, &d); err != nil {
		return payment.Payment{}, fmt.Errorf("decode payment: %w", err)
	}
	p := d.payment()
	if err := p.Ref.Validate(); err != nil {
		return payment.Payment{}, fmt.Errorf("decode payment: %w", err)
	}
	if !p.Status.Valid() || !p.Operation.Valid() {
		return payment.Payment{}, fmt.Errorf("decode payment %s: status %q, operation %q", p.Ref, p.Status, p.Operation)
	}
	for i, transfer := range p.Transfers {
		if transfer.Amount.Currency == "" { // its schema requires it; without, it could not be written again
			return payment.Payment{}, fmt.Errorf("decode payment %s: transfers[%d].amount: is required", p.Ref, i)
		}
	}
	return p, nil
}
