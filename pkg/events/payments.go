package events

import (
	"encoding/json"
	"fmt"

	"payonce/pkg/payment"
)

// PaymentType is the CloudEvents type of an event of the log, e.g. "payment.settled".
func PaymentType(s payment.Status) string { return "payment." + string(s) }

// EncodePayment returns the event that says how a payment stands now. id must be unique; it becomes the
// event's CloudEvents id.
func EncodePayment(p payment.Payment, id string) (Outgoing, error) {
	data, err := encodePayment(p)
	if err != nil {
		return Outgoing{}, err
	}
	attributes := Attributes{
		ID: id, Source: Source, Type: PaymentType(p.Status), Subject: p.Ref.String(), Time: p.UpdatedAt,
		ContentType: contentJSON, Schema: PaymentSchemaID,
	}
	return Outgoing{Subject: PaymentSubject(p.Status, p.Ref), Header: attributes.header(), Data: data}, nil
}

// encodePayment returns the data of the event.
func encodePayment(p payment.Payment) ([]byte, error) {
	if err := p.Ref.Validate(); err != nil {
		return nil, fmt.Errorf("encode payment: %w", err)
	}
	if !p.Status.Valid() || p.Status == payment.Requested {
		return nil, fmt.Errorf("encode payment %s: status %q is not written to the log", p.Ref, p.Status)
	}
	if !p.Operation.Valid() {
		return nil, fmt.Errorf("encode payment %s: operation %q", p.Ref, p.Operation)
	}
	data, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode payment %s: %w", p.Ref, err)
	}
	return data, nil
}

// DecodePayment reads the data of an event of the log. Fields that this version does not know are
// ignored: a newer version may have written them.
func DecodePayment(data []byte) (payment.Payment, error) {
	var p payment.Payment
	if err := Unmarshal(data, &p); err != nil {
		return payment.Payment{}, fmt.Errorf("decode payment: %w", err)
	}
	if err := p.Ref.Validate(); err != nil {
		return payment.Payment{}, fmt.Errorf("decode payment: %w", err)
	}
	if !p.Status.Valid() || !p.Operation.Valid() {
		return payment.Payment{}, fmt.Errorf("decode payment %s: status %q, operation %q", p.Ref, p.Status, p.Operation)
	}
	for i, receipt := range p.Receipts {
		if receipt.Amount.Currency == "" { // its schema requires it; without, it could not be written again
			return payment.Payment{}, fmt.Errorf("decode payment %s: receipts[%d].amount: is required", p.Ref, i)
		}
	}
	return p, nil
}
