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
		operator.TimelineEvent
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

// unmask reads what the customer must do, as far as it is kept, and keeps who looked and why.
func (e Env) unmask(ctx context.Context, conn *admin.Conn, s *operator.Timeline, who operator.Person) error {
	who, err := whoIs(ctx, conn, who)
	if err != nil {
		return err
	}
	if err := e.actions(conn).Reveal(ctx, conn, s, who); err != nil {
		return err
	}
	s.Payment.Action, s.Payment.WithheldAction = lookedAt(s.Payment.Action), lookedAt(s.Payment.WithheldAction)
	return nil
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
