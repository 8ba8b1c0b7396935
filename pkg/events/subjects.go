package events

import (
	"strings"

	"payonce/pkg/payment"
)

// The streams. Who may read and write them is set in deploy/nats.
const (
	StreamCommands    = "COMMANDS"    // work queue of commands, and parked commands
	StreamWebhooks    = "WEBHOOKS"    // verified webhooks as received
	StreamPayments    = "PAYMENTS"    // the log
	StreamDeadLetters = "DEADLETTERS" // what could not be worked, with the reason
	StreamAudit       = "AUDIT"       // what people did by hand, and why
	StreamActions     = "ACTIONS"     // what customers must do to pay: kept for a short time beside the log
)

// IntakeStream is the stream into which one upstream publishes by NATS, e.g. "INTAKE-shop". It is not
// COMMANDS, because a stream with schedules lets every publisher remove and forge messages by headers
// (Nats-Rollup, Nats-Schedule), and because upstreams of one stream could take each other's Nats-Msg-Id.
func IntakeStream(upstream string) string { return "INTAKE-" + upstream }

// IntakeSubject is where the broker puts what an upstream publishes to a long subject, e.g.
// "intake.shop.deposit.requested.teemopay-kr.D-1". The broker writes the upstream's name, not the
// upstream.
func IntakeSubject(upstream, subject string) string { return join(intake, upstream, subject) }

// CutIntake returns the subject that the upstream published to, and whether this is an intake subject.
func CutIntake(subject string) (published string, ok bool) {
	tokens := strings.SplitN(subject, ".", 3)
	if len(tokens) < 3 || tokens[0] != intake {
		return subject, false
	}
	return tokens[2], true
}

// intake is the first token of IntakeSubject.
const intake = "intake"

// IngressIntake is the name under which an ingress with an account of its own publishes, as an upstream does. No upstream
// may have it.
const IngressIntake = "ingress"

// QueuedSubject is where an ingress that cannot read the queue asks workers for the command of an order, e.g.
// "queued.teemopay-kr.D-1".
func QueuedSubject(ref payment.Ref) string { return join("queued", ref.Provider, ref.Order) }

// WrittenSubject is where the broker announces each event of the log after it was stored, without its body, e.g.
// "written.payment.settled.teemopay-kr.D-1". CutWritten returns the event's own subject.
const WrittenSubject = written + ".payment.>"

const written = "written"

// CutWritten returns the subject of the event that a message under [WrittenSubject] announces.
func CutWritten(subject string) string { return strings.TrimPrefix(subject, written+".") }

// ProbeSubject is where an ingress writes to find out whether COMMANDS or WEBHOOKS can be written, e.g.
// "probe.commands". The stream holds the last probe only, and no consumer reads it.
func ProbeSubject(stream string) string { return join("probe", strings.ToLower(stream)) }

// CommandSubject is where a command for one payment is published, e.g.
// "deposit.requested.teemopay-kr.D-1".
func CommandSubject(op payment.Operation, ref payment.Ref) string {
	return join(string(op), "requested", ref.Provider, ref.Order)
}

// ShortSubject is where an upstream may publish that names provider and order only in the body, e.g.
// "deposit.requested". A worker sends it on to the long form.
func ShortSubject(op payment.Operation) string { return join(string(op), "requested") }

// ParkedSubject is where the broker holds a command that is to be tried later.
func ParkedSubject(ref payment.Ref) string { return join("parked", ref.Provider, ref.Order) }

// PaymentSubject is where an event of a payment is in the log, e.g.
// "payment.settled.teemopay-kr.D-1".
func PaymentSubject(s payment.Status, ref payment.Ref) string {
	return join("payment", string(s), ref.Provider, ref.Order)
}

// PaymentFilter matches all events of one payment: "payment.*.teemopay-kr.D-1".
func PaymentFilter(ref payment.Ref) string { return join("payment", "*", ref.Provider, ref.Order) }

// StatusFilter matches the events of all payments with a status.
func StatusFilter(status payment.Status) string { return join("payment", string(status), "*", "*") }

// CommandFilter matches the queued commands of one payment, whatever the operation, and its queued
// clarification: ask [IsClarification] what was found.
func CommandFilter(ref payment.Ref) string { return join("*", "requested", ref.Provider, ref.Order) }

// clarification is the first token of ClarificationSubject.
const clarification = "clarification"

// ClarificationSubject is where an upstream answers a provider that wants to know more about a payment,
// e.g. "clarification.requested.ecommpay-kr.D-1". It is among the commands of the provider, so
// that the same workers take it, and it is no command to pay. There is no short form.
func ClarificationSubject(ref payment.Ref) string {
	return join(clarification, "requested", ref.Provider, ref.Order)
}

// IsClarification reports whether a subject is that of a clarification.
func IsClarification(subject string) bool {
	return strings.HasPrefix(subject, clarification+".requested.")
}

// WebhookSubject is where a verified webhook is published.
func WebhookSubject(ref payment.Ref) string {
	return join("webhook", "received", ref.Provider, ref.Order)
}

// IsWebhook reports whether a subject is that of a webhook as it was received.
func IsWebhook(subject string) bool { return strings.HasPrefix(subject, "webhook.received.") }

// IsProbe reports whether a subject is one of [ProbeSubject].
func IsProbe(subject string) bool { return strings.HasPrefix(subject, "probe.") }

// WaitingSubject is where the broker holds a webhook whose order is not known yet. digest tells the
// webhooks of an order apart; the same one twice is held once.
func WaitingSubject(ref payment.Ref, digest string) string {
	return join("webhook", "waiting", ref.Provider, ref.Order, digest)
}

// NoProvider is in a dead letter's subject where the message named no valid provider.
const NoProvider = "unknown"

// DeadLetterSubject is where a message of a stream is kept that could not be worked, e.g.
// "deadletter.commands.teemopay-kr".
func DeadLetterSubject(stream, provider string) string {
	if !payment.ValidProvider(provider) {
		provider = NoProvider
	}
	return join("deadletter", strings.ToLower(stream), provider)
}

// DeadLetterFilter matches the dead letters of a provider, whatever the stream.
func DeadLetterFilter(provider string) string { return join("deadletter", "*", provider) }

// DeadLetterOf returns the stream and provider of a dead letter's subject.
func DeadLetterOf(subject string) (stream, provider string, ok bool) {
	tokens := strings.Split(subject, ".")
	if len(tokens) != 3 || tokens[0] != "deadletter" {
		return "", "", false
	}
	return strings.ToUpper(tokens[1]), tokens[2], true
}

// SubjectStatus returns the status that a subject of the log names.
func SubjectStatus(subject string) (payment.Status, bool) {
	rest, ours := strings.CutPrefix(subject, "payment.")
	name, rest, _ := strings.Cut(rest, ".")
	status := payment.Status(name)
	if !ours || strings.Count(rest, ".") != 1 || !status.Valid() {
		return "", false
	}
	return status, true
}

// SubjectRef returns the payment that a subject names, and whether it names one.
func SubjectRef(subject string) (payment.Ref, bool) {
	if e, ok := ParseEndpointEvent(subject); ok {
		return e.Ref, true
	}
	tokens, last := strings.Count(subject, ".")+1, strings.LastIndexByte(subject, '.')
	if parked := strings.HasPrefix(subject, "parked."); tokens != 3 && parked || tokens != 4 && !parked {
		return payment.Ref{}, false
	}
	before := strings.LastIndexByte(subject[:last], '.')
	ref := payment.Ref{Provider: subject[before+1 : last], Order: subject[last+1:]}
	if ref.Validate() != nil {
		return payment.Ref{}, false
	}
	return ref, true
}

// SubjectOperation returns the operation of a command's subject, long or short. A clarification has none.
func SubjectOperation(subject string) (payment.Operation, bool) {
	first, rest, _ := strings.Cut(subject, ".")
	op := payment.Operation(first)
	return op, op.Valid() && (rest == "requested" || strings.HasPrefix(rest, "requested."))
}

func join(tokens ...string) string { return strings.Join(tokens, ".") }
