package jetstream

import (
	"time"

	"payonce/pkg/events/jetstream/internal/broker"

	"github.com/nats-io/nats.go"

	"payonce/pkg/payment"
)

// Headers of an event of the log with which payments are counted without reading what they are.
const (
	// HeaderReason is the code of the payment's reason; empty where it has none.
	HeaderReason = "Payonce-Reason"
	// HeaderOverdueAt and HeaderResumeAt are the payment's overdue_at and resume_at, where it has them.
	HeaderOverdueAt = "Payonce-Overdue-At"
	HeaderResumeAt  = "Payonce-Resume-At"
)

// describe writes into the headers of an event what package statistics reads.
func describe(header nats.Header, p payment.Payment) {
	code := ""
	if p.Reason != nil {
		code = broker.HeaderSafe(p.Reason.Code, 64)
	}
	header[HeaderReason] = []string{code}
	if !p.OverdueAt.IsZero() {
		header[HeaderOverdueAt] = []string{p.OverdueAt.UTC().Format(time.RFC3339)}
	}
	if p.Status == payment.Parked && !p.ResumeAt.IsZero() {
		header[HeaderResumeAt] = []string{p.ResumeAt.UTC().Format(time.RFC3339)}
	}
}
