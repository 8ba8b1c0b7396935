package ecommpay

import (
	"context"
	"errors"
	"fmt"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// Clarify sends what the provider asked for with [payment.ActionClarification], by group and field name,
// e.g. customer, last_name. The provider waits 30 minutes for it and then declines the payment
// (en_Gate_Clarification).
func (c *Connector) Clarify(ctx context.Context, q connectors.Query, fields map[string]map[string]string) (payment.Observation, error) {
	if err := checkClarification(q, fields); err != nil {
		return payment.Observation{}, fmt.Errorf("clarify %s: %w", q.Ref, notSent(payment.ReasonInvalid, err))
	}
	request := c.about(q.Order)
	request.AdditionalData = fields
	reply, err := c.call(ctx, clarificationPath, request)
	if err != nil {
		return payment.Observation{}, fmt.Errorf("clarify %s: %w", q.Ref, err)
	}
	refusal := c.accepted(q.Order, payment.Command{}, reply)
	if refusal == nil {
		return payment.Observation{Kind: payment.Accepted, Source: payment.FromSubmit}, nil
	}
	if refusal.Class == connectors.Rejected { // of the values, never of the payment
		refusal.Class, refusal.Code, refusal.Known = connectors.NotSent, payment.ReasonInvalid, true
	}
	refusal.Message = ""
	return payment.Observation{}, fmt.Errorf("clarify %s: %w", q.Ref, refusal)
}

func checkClarification(q connectors.Query, fields map[string]map[string]string) error {
	if err := q.Validate(); err != nil {
		return err
	}
	count := 0
	for group, values := range fields {
		for name, value := range values {
			if group == "" || name == "" || len(value) > payment.MaxURL {
				return errors.New("a group or a field has no name, or a value is too long")
			}
			if !isReadable(name) || !isReadable(group) || !isReadable(value) {
				return errors.New("a name or a value goes on like a field of the provider's callbacks after a semicolon")
			}
			count++
		}
	}
	if count == 0 {
		return errors.New("there are no fields")
	}
	return nil
}
