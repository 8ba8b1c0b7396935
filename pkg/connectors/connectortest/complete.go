package connectortest

import (
	"fmt"
	"maps"
	"slices"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// parts that a harness may leave out with a reason.
func (h Harness) parts() map[string]bool {
	echoes := func(a, b Reply) bool { return a.Body != b.Body }
	parts := map[string]bool{
		"Lookup.Unknown": len(h.Lookup.Unknown) > 0, "Lookup.OrderEcho": false,
		"Submit.Code": h.Submit.Code != nil, "Submit.Status": h.Submit.Status != nil, "Submit.Duplicate": h.Submit.Duplicate != nil,
		"Submit.Refusal": h.Submit.Refusal != nil, "Submit.AmountEcho": false, "Submit.OrderEcho": false,
	}
	more := h.Command.Amount
	more.Minor++
	if accepted := h.Submit.Accepted; accepted != nil {
		parts["Submit.AmountEcho"] = echoes(accepted(order(1), h.Command.Amount), accepted(order(1), more))
		parts["Submit.OrderEcho"] = echoes(accepted(order(1), h.Command.Amount), accepted(order(2), h.Command.Amount))
	}
	if status := h.Lookup.Status; status != nil && len(h.Lookup.Statuses) > 0 {
		first := h.Lookup.Statuses[0].Text
		parts["Lookup.OrderEcho"] = echoes(status(order(1), more, first), status(order(2), more, first))
	}
	return parts
}

// has reports whether an optional part is there.
func has(part string) func(Harness) bool {
	return func(h Harness) bool { return !h.silently(part) && h.parts()[part] }
}

// silently reports whether a part has no place because Submit makes no request.
func (h Harness) silently(part string) bool {
	return h.Submit.Silent && len(part) > 7 && part[:7] == "Submit."
}

// problems returns what is missing in a harness.
func (h Harness) problems() []string {
	var problems []string
	must := func(ok bool, format string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Sprintf(format, args...))
		}
	}
	must(h.New != nil, "New must make a connector")
	must(!h.Now.IsZero(), "Now must be a time")
	must(h.Command.Validate() == nil, "Command must be a valid command: %v", h.Command.Validate())
	must(h.Traits.Kind != "" && h.Traits.MaxOrderLength > 0 && h.Traits.SettlingDelay > 0, "Traits must hold what the documents promise, with a settling delay")
	must(h.Submit.Silent || h.Traits.RefusesDuplicates == (h.Submit.Duplicate != nil), "Traits.RefusesDuplicates and Submit.Duplicate contradict each other")
	must(len(h.Secrets) > 0, "Secrets must hold at least one text")
	for i, text := range h.Secrets {
		must(len(text) >= 8, "Secrets[%d] is too short to be told from other text", i)
	}
	problems = append(problems, h.submitProblems()...)
	must(len(h.Lookup.Queries) > 0, "Lookup.Queries must name the requests of a lookup")
	must(h.Lookup.Status != nil && len(h.Lookup.Statuses) > 0 && len(h.Lookup.UnknownStatuses) > 0, "Lookup.Status, Statuses and UnknownStatuses must say how the provider answers about an order")
	must(hasKind(h.Lookup.Statuses, payment.Paid), "Lookup.Statuses must hold one that is paid")
	must(len(h.Lookup.Errors) > 0, "Lookup.Errors must hold an answer that says nothing about the order")
	problems = append(problems, h.webhookProblems()...)
	parts := h.parts()
	for _, part := range slices.Sorted(maps.Keys(parts)) {
		reason, absent := h.Absent[part]
		must(h.silently(part) || parts[part] != absent, "%s must be written, or Absent must say why it is not, and not both", part)
		must(!absent || reason != "", "Absent: %s has no reason", part)
	}
	for part := range h.Absent {
		_, known := parts[part]
		must(known, "Absent: there is no part %q that may be absent", part)
	}
	return problems
}

func (h Harness) submitProblems() (problems []string) {
	s := h.Submit
	if s.Example.Method == "" || s.Example.Target == "" {
		problems = append(problems, "Submit.Example must hold the request of the provider's documents")
	}
	if s.OrderField == "" || s.AmountField == "" || s.Amount == nil {
		problems = append(problems, "Submit.OrderField, AmountField and Amount must say where order and amount stand in the request")
	}
	if s.Verify == nil {
		problems = append(problems, "Submit.Verify must judge the signature of a request")
	}
	if s.Silent {
		return problems
	}
	if s.Accepted == nil {
		problems = append(problems, "Submit.Accepted must answer a request")
	}
	if s.Code != nil && (len(s.Codes) == 0 || len(s.UnknownCodes) == 0) {
		problems = append(problems, "Submit.Codes must hold all documented codes, and UnknownCodes some others")
	}
	if s.Status != nil && (len(s.Statuses) == 0 || len(s.UnknownStatuses) == 0) {
		problems = append(problems, "Submit.Statuses must hold all documented statuses, and UnknownStatuses some others")
	}
	declines := func(m Meaning) bool {
		return m.Kind == "" && m.Class == connectors.Rejected || m.Kind == payment.Declined
	}
	if !slices.ContainsFunc(slices.Concat(s.Codes, s.Statuses), declines) {
		problems = append(problems, "Submit.Codes or Statuses must hold a documented decline")
	}
	return problems
}

func (h Harness) webhookProblems() (problems []string) {
	w := h.Webhooks
	if w.Make == nil || len(w.Statuses) == 0 || len(w.UnknownStatuses) == 0 {
		return []string{"Webhooks.Make, Statuses and UnknownStatuses must make the provider's calls"}
	}
	if !hasKind(w.Statuses, payment.Paid) {
		problems = append(problems, "Webhooks.Statuses must hold one that is paid")
	}
	if (w.SignatureHeader == "") == (w.SignatureField == "") {
		problems = append(problems, "Webhooks must have a SignatureHeader or a SignatureField")
	}
	if w.Answer == (connectors.Answer{}) {
		problems = append(problems, "Webhooks.Answer must be what the provider expects")
	}
	return problems
}

func hasKind(all []Meaning, kind payment.Kind) bool {
	return slices.ContainsFunc(all, func(m Meaning) bool { return m.Kind == kind })
}
