package campaign

import (
	"fmt"
	"slices"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
)

// act is one kind of thing that a campaign plays beside the strikes, and how often it really happened.
type act struct {
	name  string
	count int
	// planned: it must happen in this run.
	planned bool
}

// enough is how many orders must be meant to play a kind before it must really happen: one or two can be
// cancelled before they come to it.
const enough = 3

// playedIn counts what happened, from the log, the records and the dead letters. Nothing of it is taken from
// the plan.
func playedIn(e Evidence) []act {
	planned := func(fault sandbox.FaultName) bool { return countOrders(e, fault) >= enough }
	acts := []act{
		{"lost_webhooks", lostWebhooks(e), planned(sandbox.LostCallback)},
		{"clarified", clarified(e), planned(sandbox.Clarification)},
		{"answered_twice", answeredTwice(e), planned(sandbox.Clarification)},
		{"reversed", ending(e, func(p payment.Payment) bool { return p.Status == payment.Reversed }), planned(sandbox.Refund)},
		{"repeated", total(e.Actions, func(d Actions) int { return d.Repeated }), again(e, SameCommand, "") >= enough},
		{"reused_http", total(e.Actions, func(d Actions) int { return d.OthersRefused }), again(e, OtherCommand, ByHTTP) >= enough},
		{"reused_nats", total(e.Actions, func(d Actions) int { return d.OthersTaken }), again(e, OtherCommand, ByNATS) >= enough},
		{"outsiders", foreignOrdersHeard(e), len(e.ForeignOrders) >= enough},
		{"forged", len(e.Forged), len(e.Orders) >= 50},
		{"parked_closed", parkedFor(e, payment.ReasonClosed), len(e.Closings) > 0 && len(e.Orders) >= 50},
		{"resumed", settledAfter(e, payment.ReasonClosed), len(e.Closings) > 0 && len(e.Orders) >= 50},
		{"low_balance", parkedFor(e, payment.ReasonBalance), payoutsOf(e.Orders, overdrawn) >= enough},
		{"funded", settledAfter(e, payment.ReasonBalance), payoutsOf(e.Orders, overdrawn) >= enough},
		{"deploys", int(e.Deploys), len(e.Orders) >= 50},
		{"withdrawn", withdrawals(e), false}, // takes a stop in the half second of a retry
	}
	for _, kind := range handiwork {
		acts = append(acts, act{kind.name, total(e.Actions, kind.of), len(e.Orders) >= 50})
	}
	return acts
}

// playedLine lists the acts, and missing names those that were planned and never happened.
func playedLine(acts []act) (line string, missing []string) {
	line = "played:"
	for _, one := range acts {
		line += fmt.Sprintf(" %s=%d", one.name, one.count)
		if one.planned && one.count == 0 {
			missing = append(missing, one.name)
		}
	}
	return line, missing
}

func countOrders(e Evidence, fault sandbox.FaultName) int {
	count := 0
	for _, o := range e.Orders {
		if o.Accepted && slices.Contains(o.Faults, fault) {
			count++
		}
	}
	return count
}

// payoutsOf counts the payouts from an account.
func payoutsOf(orders []*Order, account string) int {
	count := 0
	for _, o := range orders {
		if o.Ref.Provider == account && o.Operation == payment.Payout {
			count++
		}
	}
	return count
}

func again(e Evidence, what Again, by Way) int {
	count := 0
	for _, o := range e.Orders {
		if o.Accepted && o.Again == what && (by == "" || o.AgainBy == by) {
			count++
		}
	}
	return count
}

// statement calls each for all orders that the providers heard of.
func statement(e Evidence, each func(ref payment.Ref, o sandbox.Order)) {
	for _, account := range e.Truth.Accounts {
		for _, o := range account.Orders {
			each(payment.Ref{Provider: o.Provider, Order: o.Order}, o)
		}
	}
}

// lostWebhooks counts payments whose outcome no webhook reported, and that have it all the same.
func lostWebhooks(e Evidence) int {
	count := 0
	statement(e, func(ref payment.Ref, o sandbox.Order) {
		history := e.Log[ref]
		told := slices.ContainsFunc(o.Callbacks, func(c sandbox.Callback) bool { return !c.Lost })
		if len(o.Callbacks) > 0 && !told && len(history) > 0 && history[len(history)-1].Payment.Status.Ended() {
			count++
		}
	})
	return count
}

// clarified counts answers that a provider asked for and took.
func clarified(e Evidence) int {
	count := 0
	statement(e, func(_ payment.Ref, o sandbox.Order) {
		for _, r := range o.Requests {
			if r.Action == sandbox.ActionClarify && r.Outcome == sandbox.Accepted {
				count++
			}
		}
	})
	return count
}

func answeredTwice(e Evidence) int {
	count := 0
	for _, one := range e.Actions {
		if one.AnswersTried > 1 {
			count++
		}
	}
	return count
}

// ending counts payments by their state.
func ending(e Evidence, is func(payment.Payment) bool) int {
	count := 0
	for _, history := range e.Log {
		if is(history[len(history)-1].Payment) {
			count++
		}
	}
	return count
}

// parkedFor counts payments that were parked for a reason.
func parkedFor(e Evidence, code string) int {
	count := 0
	for _, history := range e.Log {
		if slices.ContainsFunc(history, func(r events.Record) bool { return isParkedFor(r.Payment, code) }) {
			count++
		}
	}
	return count
}

func isParkedFor(p payment.Payment, code string) bool {
	return p.Status == payment.Parked && p.Reason != nil && p.Reason.Code == code
}

// settledAfter counts payments that settled after they were parked for a reason.
func settledAfter(e Evidence, code string) int {
	count := 0
	for _, history := range e.Log {
		at := slices.IndexFunc(history, func(r events.Record) bool { return isParkedFor(r.Payment, code) })
		if at >= 0 && slices.ContainsFunc(history[at:], func(r events.Record) bool { return r.Payment.Status == payment.Settled }) {
			count++
		}
	}
	return count
}

// withdrawals counts attempts that a stopping worker took back.
func withdrawals(e Evidence) int {
	count := 0
	for _, history := range e.Log {
		for _, r := range history {
			if isParkedFor(r.Payment, payment.ReasonStopping) {
				count++
			}
		}
	}
	return count
}

// foreignOrdersHeard counts orders of outsiders whose webhooks became dead letters, or did until they were
// deleted.
func foreignOrdersHeard(e Evidence) int {
	count := 0
	for ref := range e.ForeignOrders {
		if e.Actions[ref].Dropped > 0 || slices.ContainsFunc(e.Dead[ref], func(l DeadLetter) bool { return l.Reason == events.DeadUnknownOrder }) {
			count++
		}
	}
	return count
}
