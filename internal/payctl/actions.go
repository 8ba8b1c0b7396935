package payctl

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
)

// write prints a payment for people or as JSON.
func (s timeline) write(w io.Writer, asJSON bool) error {
	if !asJSON {
		return s.print(w)
	}
	type eventDocument struct {
		event
		Payment events.PaymentData `json:"payment"`
	}
	document := struct {
		timeline
		Payment events.PaymentData `json:"payment"`
		Events  []eventDocument    `json:"events"`
	}{s, events.DataOf(s.Payment), []eventDocument{}}
	for _, e := range s.Events {
		document.Events = append(document.Events, eventDocument{e, events.DataOf(e.Payment)})
	}
	return writeJSON(w, document)
}

// hideActions leaves of what a customer must do only its type, and the fields that a provider asks for. Links and account
// holders are personal.
func hideActions(p payment.Payment) payment.Payment {
	for _, action := range []**payment.Action{&p.Action, &p.WithheldAction} {
		if a := *action; a != nil && a.Type != payment.ActionClarification {
			*action = &payment.Action{Type: a.Type, Stored: a.Stored}
		}
	}
	return p
}

// readQuestion reads what a provider wants to know, which names fields and no person.
func readQuestion(ctx context.Context, conn *admin.Conn, p payment.Payment) (payment.Payment, error) {
	if p.Action == nil || p.Action.Type != payment.ActionClarification {
		return p, nil
	}
	return conn.Actions(ctx, p)
}

// unmask reads what the customer must do, as far as it is kept, and keeps who looked and why.
func (e Env) unmask(ctx context.Context, conn *admin.Conn, s *timeline, who operator.Person) error {
	who, err := whoIs(ctx, conn, who)
	if err != nil {
		return err
	}
	record := events.AuditRecord{Action: events.ActionUnmask, Provider: s.Provider, By: who.Name, Reason: who.Why}
	_, err = e.carryOut(ctx, conn, record, []events.AuditItem{{Order: s.Order, Upstream: s.Payment.Upstream, Before: s.Payment.Status}}, "payments",
		func(ctx context.Context, item *events.AuditItem) error {
			item.Result = "shown"
			records, err := conn.History(ctx, s.Ref)
			if err != nil {
				return err
			}
			p, _ := events.Unskipped(records)
			if p, err = conn.Actions(ctx, p); err != nil {
				return err
			}
			s.Payment.Action, s.Payment.WithheldAction = lookedAt(p.Action), lookedAt(p.WithheldAction)
			return nil
		})
	return err
}

// gonePage is shown in the place of an action that is not kept any more.
const gonePage = "(erased, or older than nats.actions_retention)"

func lookedAt(a *payment.Action) *payment.Action {
	if !a.Missing() {
		return a
	}
	return &payment.Action{Type: payment.ActionType(string(a.Type) + " " + gonePage)}
}

// actionLines are the lines about an action, each of which begins with name.
func actionLines(name string, a *payment.Action) [][2]string {
	if a == nil {
		return nil
	}
	lines := [][2]string{{name, string(a.Type)}}
	switch {
	case a.Redirect != nil:
		lines = append(lines, [2]string{name + " url", a.Redirect.Method + " " + a.Redirect.URL})
		for _, field := range slices.Sorted(maps.Keys(a.Redirect.Fields)) {
			lines = append(lines, [2]string{name + " field " + field, a.Redirect.Fields[field]})
		}
	case a.Transfer != nil:
		t := a.Transfer
		lines = append(lines, [2]string{name + " account", strings.Join(strings.Fields(t.BankName+" "+t.BankCode+" "+t.AccountNumber), " ")},
			[2]string{name + " amount", money(t.Amount)}, [2]string{name + " text", t.Reference})
		if !t.ExpiresAt.IsZero() {
			lines = append(lines, [2]string{name + " until", t.ExpiresAt.UTC().Format(time.RFC3339)})
		}
	case a.Clarification != nil:
		for _, group := range slices.Sorted(maps.Keys(a.Clarification.Fields)) {
			lines = append(lines, [2]string{name + " wants", group + ": " + strings.Join(a.Clarification.Fields[group], ", ")})
		}
	case !strings.Contains(string(a.Type), gonePage):
		lines[0][1] = fmt.Sprintf("%s; --unmask shows it", a.Type)
	}
	return lines
}
